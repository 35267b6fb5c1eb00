# Copyright (c) 2025 the asio_proactor authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
"""What was measured of a workload: medians, ratios with their spread, verdicts on goals, and the file they are kept in."""
import json
import statistics
from dataclasses import asdict, dataclass, field

RATE = "messages_per_second"
CPU = "server_cpu_us_per_message"
BYTES = "bytes_per_connection"
CALLS = "system_calls_per_message"
HIGHER_IS_BETTER = {RATE}
STOCK = ("stock_epoll", "stock_io_uring", "stock_io_uring_192")


@dataclass(frozen=True)
class Goal:
    """A variant's metric against another's ("stock": the best of them), or against a plain limit."""
    metric: str
    factor: float
    against: str = ""
    of: str = "drop_in"

    def at_least(self):
        return self.metric in HIGHER_IS_BETTER

    def sentence(self):
        sign = ">=" if self.at_least() else "<="
        return f"{self.of}: {self.metric} {sign} {self.factor:.4g}{' x ' + self.against if self.against else ''}"

    def met(self, value):
        return value >= self.factor if self.at_least() else value <= self.factor


@dataclass(frozen=True)
class Figure:
    """A median and the range that it is the median of."""
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values):
        values = list(values)
        return cls(statistics.median(values), min(values), max(values))


def median(rounds, metric):
    return statistics.median(each[metric] for each in rounds)


@dataclass
class Results:
    """Everything measured of one workload.

    A run holds, for each variant, its rounds: what each measurement gave. Counts (system calls, instructions, allocations per
    message) are no times and are taken once.
    """
    name: str
    title: str
    unit: str
    goals: list
    machine: dict
    runs: list = field(default_factory=list)
    counts: dict = field(default_factory=dict)

    @classmethod
    def load(cls, path):
        with open(path) as file:
            kept = json.load(file)
        return cls(**{**kept, "goals": [Goal(**goal) for goal in kept["goals"]]})

    def save(self, path):
        with open(path, "w") as file:
            json.dump(asdict(self), file, indent=1)

    def variants(self):
        return list(self.runs[0])

    def has(self, metric):
        return all(metric in each for rounds in self.runs[0].values() for each in rounds)

    def figure(self, variant, metric):
        """Of all rounds where there is one run, otherwise of the medians of the runs. None for what was not measured."""
        if variant in self.variants() and metric in self.runs[0][variant][0]:
            if len(self.runs) == 1:
                return Figure.of(each[metric] for each in self.runs[0][variant])
            return Figure.of(median(run[variant], metric) for run in self.runs)
        if metric in self.counts.get(variant, {}):
            return Figure.of([self.counts[variant][metric]])
        return None

    def best_stock(self, metric):
        present = [name for name in STOCK if self.figure(name, metric)]
        best = max if metric in HIGHER_IS_BETTER else min
        return best(present, key=lambda name: self.figure(name, metric).value) if present else None

    def other(self, metric, against):
        """The variant that is compared with, or None."""
        named = self.best_stock(metric) if against == "stock" else against
        return named if self.figure(named, metric) else None

    def ratio(self, variant, metric, against):
        """Of the rounds' ratios where there is one run, otherwise of the runs' median ratios."""
        other = self.other(metric, against)
        if not other or not self.figure(variant, metric):
            return None
        ratios = [[mine[metric] / theirs[metric] for mine, theirs in zip(run[variant], run[other])] for run in self.runs]
        return Figure.of(ratios[0]) if len(ratios) == 1 else Figure.of(map(statistics.median, ratios))

    def judged(self, goal):
        """The figure that decides about a goal, or None."""
        return self.ratio(goal.of, goal.metric, goal.against) if goal.against else self.figure(goal.of, goal.metric)

    def met(self, goal):
        figure = self.judged(goal)
        return None if figure is None else goal.met(figure.value)

    def threshold(self, goal):
        """Where the goal lies on the metric's own scale, or None."""
        if not goal.against:
            return goal.factor
        other = self.other(goal.metric, goal.against)
        return goal.factor * self.figure(other, goal.metric).value if other else None


def ranged(figure, digits):
    return f"{figure.low:.{digits}f}/{figure.value:.{digits}f}/{figure.high:.{digits}f}" if figure else "-"


def spread(figure):
    return f"{figure.value:.2f} ({figure.low:.2f}-{figure.high:.2f})" if figure else "-"


def plain(figure, digits):
    return f"{figure.value:.{digits}f}" if figure and figure.value else "-"


def counted(figure, digits):
    return f"{figure.value:.{digits}f}" if figure else "-"


def busy(results, variant):
    """Shares of a core that server and load used: a load near 1 is the bottleneck."""
    return "/".join(plain(results.figure(variant, key), 2) for key in ("server_busy", "load_busy"))


def rate_table(results):
    # Work of nanoseconds would show as zero otherwise.
    cpu_digits = 2 if all(results.figure(name, CPU).low > 1 for name in results.variants()) else 3
    yield ["", "per s min/med/max", "CPU us min/med/max", "p50 us", "p99 us", "p99.9", "busy srv/load", "calls", "allocs",
           "instr", "rate:stock", "CPU:stock", "CPU:floor"]
    for name in results.variants():
        def figure(metric):
            return results.figure(name, metric)
        yield [name, ranged(figure(RATE), 0), ranged(figure(CPU), cpu_digits), plain(figure("p50_us"), 0),
               plain(figure("p99_us"), 0), plain(figure("p999_us"), 0), busy(results, name), counted(figure(CALLS), 3),
               counted(figure("allocations_per_message"), 3), counted(figure("instructions_per_message"), 0),
               spread(results.ratio(name, RATE, "stock")), spread(results.ratio(name, CPU, "stock")),
               spread(results.ratio(name, CPU, "floor"))]


def byte_table(results):
    yield ["", "bytes/connection min/med/max", "bytes:stock", "bytes:floor"]
    for name in results.variants():
        yield [name, ranged(results.figure(name, BYTES), 0), spread(results.ratio(name, BYTES, "stock")),
               spread(results.ratio(name, BYTES, "floor"))]


def aligned(table):
    rows = list(table)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(row, widths)))


def describe(results):
    """The workload's part of the speed table, as lines. Figures other than rates are per message, request, read…"""
    yield f"{results.name}: {results.title}; per {results.unit}"
    yield from ("  " + line for line in aligned(byte_table(results) if results.has(BYTES) else rate_table(results)))
    for goal in results.goals:
        figure = results.judged(goal)
        verdict = f"{spread(figure)} {'met' if goal.met(figure.value) else 'NOT MET'}" if figure else "not measured"
        yield f"  goal {goal.sentence()}: {verdict}"
