"""Programs without a network: timers, executors, composed completion tokens, standard input."""

from catalogue import drives


def prints(name, *arguments, text="", seconds=30, order_matters=True):
    """A program that is run to its end and whose whole output is compared."""
    @drives(name)
    def drive(stage):
        code, output = stage.run(name, *arguments, text=text, seconds=seconds)
        lines = output.splitlines()
        stage.say(code, *(lines if order_matters else sorted(lines)))
    return drive


for number in range(1, 6):
    # The last two print from two threads, where each line is still whole.
    prints(f"asio/any/tutorial/timer{number}/timer", order_matters=number < 5)
prints("asio/any/timers/time_t_timer")
for number in range(1, 8):
    prints(f"asio/any/deferred/deferred_{number}")
for example in ("wait_for_all", "wait_for_one", "wait_for_one_error", "wait_for_one_success", "ranged_wait_for_all"):
    prints(f"asio/any/parallel_group/{example}", text="some input\n")
prints("asio/any/parallel_group/parallel_sort")
prints("asio/any/invocation/prioritised_handlers")
prints("asio/any/type_erasure", text="one\ntwo\n")
prints("asio/any/operations/callback_wrapper", text="one\ntwo\nthree\n")
prints("asio/any/operations/c_callback_wrapper", text="one\ntwo\nthree\n")
for example in ("bank_account_1", "bank_account_2", "priority_scheduler", "async_1", "async_2"):
    prints(f"asio/any/executors/{example}")
prints("asio/any/executors/pipeline", text="short\nlong enough\nanother long one\n")


@drives("asio/any/executors/fork_join")
def fork_join(stage):
    code, output = stage.run("asio/any/executors/fork_join", 500000)
    stage.say(code, "sort took" in output)


@drives("asio/cpp11/spawn/parallel_grep")
def parallel_grep(stage):
    paths = [stage.write_file(f"file{n}", f"a needle in {n}\nhay\n" * (n + 1)) for n in range(6)]
    code, output = stage.run("asio/cpp11/spawn/parallel_grep", "needle", *paths)
    stage.say(code, *sorted(output.replace(str(stage.folder), "").splitlines()))
