// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// context_pool: where its threads run, who gets which connection, and how it ends. It uses Asio's public interface
// only, so stock Asio has to pass as well.

#define BOOST_TEST_MODULE context_pool
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/process.hpp"
#include "support/sanitizers.hpp"
#include "support/soon.hpp"
#include "support/watchdog.hpp"
#include <asio_proactor/context_pool.hpp>
#include <atomic>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <sched.h>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace test_support;
using asio_proactor::context_pool;
using asio_proactor::context_pool_options;
using asio_proactor::placement;
using asio_proactor::spread;

namespace {

// More contexts than the machine may have processors: nothing here depends on their running at the same time.
constexpr std::size_t several = 3;

// Threads have to start, and connections to be made, on a machine that may be busy.
bool in_time(const std::function<bool()>& condition)
{
  return soon(condition, 10s);
}

std::set<int> affinity_of_this_thread()
{
  ::cpu_set_t set;
  std::set<int> numbers;
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    for (int number = 0; number < CPU_SETSIZE; ++number)
      if (CPU_ISSET(number, &set))
        numbers.insert(number);
  return numbers;
}

// What a function returns on a context's own thread.
template <typename Function>
auto ask(asio::io_context& ctx, Function function)
{
  std::promise<decltype(function())> answer;
  asio::post(ctx, [&] { answer.set_value(function()); });
  return answer.get_future().get();
}

auto says(const std::string& words)
{
  return [words](const std::exception& e) {
    BOOST_TEST_MESSAGE(e.what());
    return std::string(e.what()).find(words) != std::string::npos;
  };
}

context_pool_options placed(placement where)
{
  context_pool_options options;
  options.place = where;
  return options;
}

// How many connections each context has got. Each element is touched by one thread only, but read by the test.
using tally = std::vector<std::atomic<int>>;

int total(const tally& counts)
{
  int sum = 0;
  for (const auto& each : counts)
    sum += each;
  return sum;
}

auto counter(tally& counts)
{
  return [&counts](const auto&) { ++counts[context_pool::this_number().value()]; };
}

// A path that no other test uses.
class socket_file
{
public:
  ~socket_file() { std::filesystem::remove(path_); }
  asio::local::stream_protocol::endpoint endpoint() const { return path_; }

private:
  static std::string name()
  {
    static int number = 0;
    return "context_pool." + std::to_string(::getpid()) + "." + std::to_string(++number);
  }
  const std::string path_ = (std::filesystem::temp_directory_path() / name()).string();
};

// Sends back the number of the context that serves it for each byte, and counts what runs where it should not.
template <typename Socket>
struct numbering_session : std::enable_shared_from_this<numbering_session<Socket>>
{
  Socket socket;
  std::atomic<int>& misplaced;
  const std::size_t number = context_pool::this_number().value();
  asio::io_context* const home = context_pool::this_context();
  char byte = 0;

  numbering_session(Socket s, std::atomic<int>& errors) : socket(std::move(s)), misplaced(errors) { check(); }

  void check()
  {
    misplaced += context_pool::this_context() != home;
    misplaced += &asio::query(socket.get_executor(), asio::execution::context) != home;
  }

  void read()
  {
    socket.async_read_some(asio::buffer(&byte, 1), [self = this->shared_from_this()](error_code ec, std::size_t) {
      self->check();
      if (!ec)
        self->write();
    });
  }

  void write()
  {
    byte = static_cast<char>('0' + number);
    asio::async_write(socket, asio::buffer(&byte, 1), [self = this->shared_from_this()](error_code ec, std::size_t) {
      self->check();
      if (!ec)
        self->read();
    });
  }
};

auto serve_numbers(std::atomic<int>& misplaced)
{
  return [&misplaced](auto socket) {
    std::make_shared<numbering_session<decltype(socket)>>(std::move(socket), misplaced)->read();
  };
}

// Which context answers on a connection; not a digit if none does.
template <typename Socket>
char ask_number(Socket& socket)
{
  char byte = '?';
  error_code ec;
  asio::write(socket, asio::buffer(&byte, 1), ec);
  if (!ec && readable(socket, 10s))
    asio::read(socket, asio::buffer(&byte, 1), ec);
  return byte;
}

tcp::socket connected(asio::io_context& ctx, const tcp::endpoint& where)
{
  tcp::socket socket(ctx);
  socket.connect(where);
  return socket;
}

} // namespace

BOOST_AUTO_TEST_SUITE(placing)

BOOST_AUTO_TEST_CASE(a_context_has_its_processor_for_itself)
{
  context_pool pool(placed(placement::cpu));
  BOOST_TEST(pool.size() == asio_proactor::usable_cpu_count());
  std::set<int> seen;
  for (std::size_t i = 0; i < pool.size(); ++i)
  {
    BOOST_TEST_REQUIRE(pool.cpus(i).size() == 1u);
    BOOST_TEST((ask(pool[i], affinity_of_this_thread) == std::set<int>{pool.cpus(i)[0]}));
    BOOST_TEST(ask(pool[i], ::sched_getcpu) == pool.cpus(i)[0]);
    seen.insert(pool.cpus(i)[0]);
  }
  BOOST_TEST(seen.size() == pool.size());
}

BOOST_AUTO_TEST_CASE(a_context_stays_on_its_node)
{
  context_pool_options options = placed(placement::node);
  options.contexts = several;
  context_pool pool(options);
  for (std::size_t i = 0; i < several; ++i)
    BOOST_TEST((ask(pool[i], affinity_of_this_thread) == std::set<int>(pool.cpus(i).begin(), pool.cpus(i).end())));
}

BOOST_AUTO_TEST_CASE(only_the_named_processors_are_used)
{
  context_pool_options options;
  options.contexts = several;
  options.cpus = {asio_proactor::usable_cpus().back().number};
  context_pool pool(options);
  for (std::size_t i = 0; i < several; ++i)
    BOOST_TEST((ask(pool[i], affinity_of_this_thread) == std::set<int>{options.cpus[0]}));
}

BOOST_AUTO_TEST_CASE(nothing_is_bound_without_being_asked_for)
{
  context_pool pool(several);
  BOOST_TEST(pool.size() == several);
  BOOST_TEST(pool.cpus(0).empty());
  BOOST_TEST((ask(pool[0], affinity_of_this_thread) == affinity_of_this_thread()));
}

BOOST_AUTO_TEST_CASE(threads_have_names)
{
  context_pool_options options;
  options.contexts = 2;
  options.thread_name = "worker";
  context_pool pool(options);
  const auto name = [] {
    std::string text;
    std::getline(std::ifstream("/proc/thread-self/comm"), text);
    return text;
  };
  BOOST_TEST(ask(pool[0], name) == "worker-0");
  BOOST_TEST(ask(pool[1], name) == "worker-1");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_done_is_refused_and_leaves_no_thread)
{
  const auto before = count_of_threads();
  context_pool_options crowded = placed(placement::cpu), elsewhere = placed(placement::cpu), wordy;
  crowded.contexts = asio_proactor::usable_cpus().size() + 1;
  elsewhere.cpus = {100000};
  wordy.thread_name = "a name without end";
  BOOST_CHECK_EXCEPTION(context_pool{crowded}, std::invalid_argument, says("ask for no more than that"));
  BOOST_CHECK_EXCEPTION(context_pool{elsewhere}, std::invalid_argument, says("CPU 100000"));
  BOOST_CHECK_EXCEPTION(context_pool{wordy}, std::invalid_argument, says("15 bytes"));
  BOOST_CHECK_THROW(context_pool{static_cast<std::size_t>(-1)}, std::invalid_argument);
  BOOST_TEST(count_of_threads() == before);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(contexts)

BOOST_AUTO_TEST_CASE(contexts_take_turns)
{
  context_pool pool(several);
  std::set<asio::io_context*> seen;
  for (std::size_t i = 0; i < several; ++i)
    seen.insert(&pool.next());
  BOOST_TEST(seen.size() == several);
  BOOST_TEST(&pool.next() == &pool[0]);
  BOOST_CHECK_THROW(pool.context(several), std::out_of_range);
}

BOOST_AUTO_TEST_CASE(a_thread_knows_its_context)
{
  context_pool pool(several), other(1);
  BOOST_TEST(!context_pool::this_context());
  BOOST_TEST(!context_pool::this_number());
  for (std::size_t i = 0; i < several; ++i)
  {
    BOOST_TEST(ask(pool[i], &context_pool::this_context) == &pool.context(i));
    BOOST_TEST((ask(pool[i], &context_pool::this_number) == i));
  }
  BOOST_TEST(ask(other[0], &context_pool::this_context) == &other[0]);
}

BOOST_AUTO_TEST_CASE(every_context_is_reached_at_once)
{
  context_pool pool(several);
  tally counts(several);
  std::atomic<int> misplaced{0};
  pool.post_to_all([&](asio::io_context& ctx) {
    misplaced += context_pool::this_context() != &ctx;
    ++counts[context_pool::this_number().value()];
  });
  BOOST_TEST(pool.join());
  for (const auto& each : counts)
    BOOST_TEST(each == 1);
  BOOST_TEST(misplaced == 0);
}

BOOST_AUTO_TEST_CASE(posts_from_other_threads_all_arrive)
{
  context_pool pool(several);
  constexpr int posters = 3, each = 2000;
  std::vector<int> calls(several, 0); // no lock: one thread per element
  std::vector<std::thread> outside;
  for (int p = 0; p < posters; ++p)
    outside.emplace_back([&] {
      for (int i = 0; i < each; ++i)
        asio::post(pool.next(), [&calls] { ++calls[context_pool::this_number().value()]; });
    });
  for (auto& thread : outside)
    thread.join();
  BOOST_TEST(pool.join());
  for (int n : calls)
    BOOST_TEST(n == posters * each / static_cast<int>(several));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(serving)

BOOST_AUTO_TEST_CASE(the_kernel_reaches_every_context_on_one_port)
{
  tally counts(several);
  context_pool pool(several);
  const tcp::endpoint where = pool.serve(loopback(), counter(counts));
  BOOST_TEST(where.port() != 0);
  asio::io_context ctx;
  const auto all_reached = [&] { return std::all_of(counts.begin(), counts.end(), [](int n) { return n > 0; }); };
  int connections = 0;
  for (; connections < 500 && !all_reached(); ++connections)
    connected(ctx, where);
  BOOST_TEST(in_time(all_reached));
  BOOST_TEST(in_time([&] { return total(counts) == connections; }));
}

BOOST_AUTO_TEST_CASE(handed_over_sockets_are_spread_evenly)
{
  tally counts(several);
  context_pool pool(several);
  const tcp::endpoint where = pool.serve(loopback(), counter(counts), spread::hand_over);
  asio::io_context ctx;
  constexpr int each = 10;
  for (int i = 0; i < each * static_cast<int>(several); ++i)
    connected(ctx, where);
  BOOST_TEST(in_time([&] { return total(counts) == each * static_cast<int>(several); }));
  for (const auto& n : counts)
    BOOST_TEST(n == each);
}

BOOST_AUTO_TEST_CASE(everything_of_a_connection_happens_on_one_thread)
{
  for (const spread how : {spread::reuse_port, spread::hand_over})
  {
    BOOST_TEST_CONTEXT("way " << static_cast<int>(how))
    {
      std::atomic<int> misplaced{0};
      context_pool pool(several);
      const tcp::endpoint where = pool.serve(loopback(), serve_numbers(misplaced), how);
      asio::io_context ctx;
      for (int i = 0; i < 12; ++i)
      {
        tcp::socket client = connected(ctx, where);
        const char number = ask_number(client);
        BOOST_TEST((number >= '0' && number < static_cast<char>('0' + several)));
        for (int k = 0; k < 20; ++k)
          BOOST_TEST(ask_number(client) == number);
      }
      pool.shutdown();
      BOOST_TEST(pool.join());
      BOOST_TEST(misplaced == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(unix_sockets_are_handed_over)
{
  const socket_file file;
  std::atomic<int> misplaced{0};
  context_pool pool(several);
  BOOST_TEST(pool.serve(file.endpoint(), serve_numbers(misplaced), spread::hand_over) == file.endpoint());
  asio::io_context ctx;
  std::set<char> numbers;
  for (std::size_t i = 0; i < several; ++i)
  {
    asio::local::stream_protocol::socket client(ctx);
    client.connect(file.endpoint());
    numbers.insert(ask_number(client));
  }
  BOOST_TEST((numbers == std::set<char>{'0', '1', '2'}));
  BOOST_TEST(misplaced == 0);
}

BOOST_AUTO_TEST_CASE(unix_sockets_cannot_share_a_name)
{
  const socket_file file;
  context_pool pool(several);
  std::atomic<int> misplaced{0};
  BOOST_CHECK_EXCEPTION(pool.serve(file.endpoint(), serve_numbers(misplaced)), std::invalid_argument,
                        says("use spread::hand_over"));
  BOOST_TEST(!std::filesystem::exists(file.endpoint().path()));
}

BOOST_AUTO_TEST_CASE(a_taken_port_is_an_error_that_names_it)
{
  asio::io_context ctx;
  const tcp::acceptor taken(ctx, loopback());
  context_pool pool(several);
  tally counts(several);
  const std::string name = ":" + std::to_string(taken.local_endpoint().port());
  for (const spread how : {spread::reuse_port, spread::hand_over})
    BOOST_CHECK_EXCEPTION(pool.serve(taken.local_endpoint(), counter(counts), how), boost::system::system_error,
                          [&](const auto& e) { return e.code() == asio::error::address_in_use && says(name)(e); });
  BOOST_TEST(pool.join());
}

BOOST_AUTO_TEST_CASE(each_context_has_a_handler_of_its_own)
{
  struct counting
  {
    std::atomic<int>& all;
    int mine = 0; // no lock
    void operator()(const tcp::socket&) { all += ++mine; }
  };
  for (const spread how : {spread::reuse_port, spread::hand_over})
  {
    std::atomic<int> all{0};
    context_pool pool(1);
    const tcp::endpoint where = pool.serve(loopback(), counting{all}, how);
    asio::io_context ctx;
    for (int i = 0; i < 3; ++i)
      connected(ctx, where);
    BOOST_TEST(in_time([&] { return all == 1 + 2 + 3; }));
  }
}

// The check of types of the undefined behaviour sanitizer wants a descriptor now and then.
#if !defined(TEST_HAS_ADDRESS_SANITIZER)
BOOST_AUTO_TEST_CASE(accepting_survives_a_shortage_of_descriptors)
{
  for (const spread how : {spread::reuse_port, spread::hand_over})
  {
    BOOST_TEST_CONTEXT("way " << static_cast<int>(how))
    {
      std::atomic<int> errors{0}, wrong{0}, misplaced{0};
      asio_proactor::serve_options options;
      options.pause_after_error = 20ms;
      options.on_error = [&](error_code ec) { ++errors, wrong += ec != asio::error::no_descriptors; };
      context_pool pool(2);
      const tcp::endpoint where = pool.serve(loopback(), serve_numbers(misplaced), how, options);
      asio::io_context ctx;
      tcp::socket client(ctx, tcp::v4());
      ::rlimit before{};
      ::getrlimit(RLIMIT_NOFILE, &before);
      const ::rlimit none = {0, before.rlim_max};
      ::setrlimit(RLIMIT_NOFILE, &none);
      error_code connecting;
      client.connect(where, connecting);
      const bool noticed = in_time([&] { return errors >= 2; });
      const int first = errors;
      std::this_thread::sleep_for(200ms);
      const int later = errors;
      ::setrlimit(RLIMIT_NOFILE, &before);
      BOOST_TEST(!connecting);
      BOOST_TEST(noticed);
      BOOST_TEST(later - first <= 30); // it does not spin
      BOOST_TEST(wrong == 0);
      BOOST_TEST(ask_number(client) != '?');
    }
  }
}
#endif

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(ending)

BOOST_AUTO_TEST_CASE(idle_contexts_wait_for_work_from_the_others)
{
  // Only one context at a time has anything to do, and it passes on after a while in which the others could give up.
  for (const std::size_t size : {std::size_t{1}, several})
  {
    context_pool pool(size);
    int steps = 0;
    std::function<void()> pass = [&] {
      if (++steps == 60)
        return;
      if (steps % 20 != 0)
        return asio::post(pool[static_cast<std::size_t>(steps) % size], pass);
      auto timer = std::make_shared<asio::steady_timer>(*context_pool::this_context(), 5ms);
      timer->async_wait([&, timer](error_code) { asio::post(pool[static_cast<std::size_t>(steps) % size], pass); });
    };
    asio::post(pool[0], pass);
    BOOST_TEST(pool.join());
    BOOST_TEST(steps == 60);
    BOOST_TEST(pool.stopped());
  }
}

BOOST_AUTO_TEST_CASE(an_idle_pool_ends_when_it_is_joined_and_not_before)
{
  context_pool pool(several);
  std::this_thread::sleep_for(10ms);
  BOOST_TEST(!pool.stopped());
  BOOST_TEST(pool.join());
  BOOST_TEST(pool.join());
}

BOOST_AUTO_TEST_CASE(shutdown_lets_connections_finish)
{
  for (const spread how : {spread::reuse_port, spread::hand_over})
  {
    std::atomic<int> misplaced{0};
    context_pool pool(several);
    const tcp::endpoint where = pool.serve(loopback(), serve_numbers(misplaced), how);
    asio::io_context ctx;
    tcp::socket client = connected(ctx, where);
    BOOST_TEST(ask_number(client) != '?');
    auto ended = std::async(std::launch::async, [&] { return pool.join(); });
    pool.shutdown(60s);
    BOOST_TEST(in_time([&] {
      tcp::socket late(ctx);
      error_code ec;
      late.connect(where, ec);
      return ec == asio::error::connection_refused;
    }));
    BOOST_TEST(ask_number(client) != '?');
    BOOST_TEST((ended.wait_for(0s) == std::future_status::timeout));
    client.close();
    BOOST_TEST(ended.get());
  }
}

BOOST_AUTO_TEST_CASE(grace_has_a_limit)
{
  context_pool pool(several);
  std::atomic<int> misplaced{0};
  const tcp::endpoint where = pool.serve(loopback(), serve_numbers(misplaced));
  asio::io_context ctx;
  tcp::socket client = connected(ctx, where);
  BOOST_TEST(ask_number(client) != '?');
  asio::steady_timer timer(pool[1], 1h);
  timer.async_wait([](error_code) {});
  const auto begin = steady::now();
  pool.shutdown(50ms);
  BOOST_TEST(!pool.join());
  BOOST_TEST((steady::now() - begin >= 50ms));
}

BOOST_AUTO_TEST_CASE(a_handler_can_shut_down_or_stop)
{
  for (const bool is_orderly : {true, false})
  {
    context_pool pool(several);
    std::atomic<int> misplaced{0};
    pool.serve(loopback(), serve_numbers(misplaced), spread::hand_over);
    asio::steady_timer timer(pool[1], 5ms);
    timer.async_wait([&](error_code) { is_orderly ? pool.shutdown(60s) : pool.stop(); });
    BOOST_TEST(pool.join() == is_orderly);
  }
}

BOOST_AUTO_TEST_CASE(nothing_listens_behind_a_join)
{
  for (const spread how : {spread::reuse_port, spread::hand_over})
  {
    context_pool pool(several);
    tally counts(several);
    const tcp::endpoint where = pool.serve(loopback(), counter(counts), how);
    pool.stop();
    BOOST_TEST(!pool.join());
    asio::io_context ctx;
    tcp::socket late(ctx);
    error_code ec;
    late.connect(where, ec);
    BOOST_TEST(ec == asio::error::connection_refused);
    BOOST_CHECK_EXCEPTION(pool.serve(loopback(), counter(counts)), std::logic_error, says("has ended"));
  }
}

BOOST_AUTO_TEST_CASE(a_destructor_ends_what_is_under_way)
{
  std::atomic<int> misplaced{0};
  asio::io_context ctx;
  std::vector<tcp::socket> clients;
  auto alive = std::make_shared<int>();
  {
    context_pool pool(several);
    const tcp::endpoint where = pool.serve(loopback(), serve_numbers(misplaced), spread::hand_over);
    for (std::size_t i = 0; i < 2 * several; ++i)
      ask_number(clients.emplace_back(connected(ctx, where)));
    pool.post_to_all([alive](asio::io_context& own) {
      auto timer = std::make_shared<asio::steady_timer>(own, 1h);
      timer->async_wait([timer, alive](error_code) {});
    });
  }
  BOOST_TEST(alive.use_count() == 1);
  for (tcp::socket& client : clients)
    BOOST_TEST(end_of(client));
}

BOOST_AUTO_TEST_CASE(a_socket_that_never_arrives_is_closed)
{
  asio::io_context ctx;
  std::vector<tcp::socket> clients;
  {
    tally counts(2);
    std::promise<void> freed;
    context_pool pool(2);
    // The second context is busy, so what is handed to it stays on its way.
    asio::post(pool[1], [waits = freed.get_future().share()] { waits.wait(); });
    const tcp::endpoint where = pool.serve(loopback(), counter(counts), spread::hand_over);
    for (int i = 0; i < 3; ++i)
      clients.push_back(connected(ctx, where));
    BOOST_TEST(in_time([&] { return counts[0] == 2; }));
    pool.stop();
    freed.set_value();
    BOOST_TEST(!pool.join());
    BOOST_TEST(counts[1] == 0);
  }
  BOOST_TEST(end_of(clients[1]) == asio::error::eof);
}

// Whichever context goes first, the sockets that its handlers own need theirs.
BOOST_AUTO_TEST_CASE(handlers_may_own_sockets_of_another_context)
{
  context_pool pool(2);
  for (std::size_t i = 0; i < 2; ++i)
  {
    auto both = std::make_shared<stream_pair>(asio::local::stream_protocol::socket(pool[i]),
                                              asio::local::stream_protocol::socket(pool[1 - i]));
    asio::local::connect_pair(both->first, both->second);
    auto byte = std::make_shared<char>();
    ask(pool[i], [&] {
      both->first.async_read_some(asio::buffer(byte.get(), 1), [both, byte](error_code, std::size_t) {});
      return 0;
    });
    auto timer = std::make_shared<asio::steady_timer>(pool[i], 1h);
    timer->async_wait([timer, other = std::make_shared<asio::steady_timer>(pool[1 - i]), both](error_code) {});
  }
}

BOOST_AUTO_TEST_CASE(a_join_by_a_thread_of_the_pool_is_refused)
{
  context_pool pool(several), other(1);
  const auto refusal_of = [](context_pool& joined) -> std::string {
    try
    {
      joined.join();
      return "";
    }
    catch (const std::system_error& failure)
    {
      return failure.what();
    }
  };
  const std::string refusal = ask(pool[0], [&] { return refusal_of(pool); });
  BOOST_TEST(refusal.find("cannot join") != std::string::npos, refusal);
  BOOST_TEST(ask(pool[0], [&] { return refusal_of(other); }) == "");
  BOOST_TEST(pool.join());
}

BOOST_AUTO_TEST_CASE(several_threads_can_join)
{
  context_pool pool(several);
  asio::steady_timer timer(pool[0], 20ms);
  timer.async_wait([](error_code) {});
  auto first = std::async(std::launch::async, [&] { return pool.join(); });
  auto second = std::async(std::launch::async, [&] { return pool.join(); });
  BOOST_TEST(first.get());
  BOOST_TEST(second.get());
}

BOOST_AUTO_TEST_CASE(pools_come_and_go)
{
  std::atomic<int> misplaced{0};
  asio::io_context ctx;
  tcp::socket first(ctx, tcp::v4()); // the context has what it needs
  const auto threads = count_of_threads(), descriptors = count_of_descriptors();
  for (int i = 0; i < 40; ++i)
  {
    context_pool pool(several);
    const spread how = i % 2 == 0 ? spread::reuse_port : spread::hand_over;
    const tcp::endpoint where = pool.serve(loopback(), serve_numbers(misplaced), how);
    if (i % 4 < 2)
    {
      tcp::socket client = connected(ctx, where);
      BOOST_TEST(ask_number(client) != '?');
    }
    if (i % 3 == 0)
      pool.shutdown();
  }
  BOOST_TEST(count_of_threads() == threads);
  BOOST_TEST(count_of_descriptors() == descriptors);
}

BOOST_AUTO_TEST_CASE(two_pools_give_each_other_work)
{
  context_pool a(2), b(2);
  std::promise<bool> over;
  int hops = 0;
  std::function<void()> hop = [&] {
    if (++hops == 100)
      return over.set_value(true);
    asio::post(hops % 2 == 0 ? a.next() : b.next(), hop);
  };
  asio::post(a.next(), hop);
  BOOST_TEST(over.get_future().get());
  BOOST_TEST((a.join() && b.join()));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(exceptions)

BOOST_AUTO_TEST_CASE(an_exception_of_a_handler_comes_out_of_join)
{
  context_pool pool(several);
  std::atomic<int> misplaced{0};
  pool.serve(loopback(), serve_numbers(misplaced));
  asio::post(pool[1], [] { throw std::runtime_error("from a handler"); });
  BOOST_CHECK_EXCEPTION(pool.join(), std::runtime_error, says("from a handler"));
  BOOST_TEST(pool.stopped());
  BOOST_CHECK_EXCEPTION(pool.join(), std::runtime_error, says("from a handler"));
}

BOOST_AUTO_TEST_CASE(so_does_one_of_a_handler_of_connections)
{
  for (const spread how : {spread::reuse_port, spread::hand_over})
  {
    context_pool pool(several);
    const auto refuse = [](const tcp::socket&) { throw std::runtime_error("no guests"); };
    const tcp::endpoint where = pool.serve(loopback(), refuse, how);
    asio::io_context ctx;
    connected(ctx, where);
    BOOST_CHECK_EXCEPTION(pool.join(), std::runtime_error, says("no guests"));
  }
}

BOOST_AUTO_TEST_CASE(a_destructor_keeps_it_to_itself)
{
  context_pool pool(several);
  asio::post(pool[0], [] { throw std::runtime_error("unheard"); });
  BOOST_TEST(in_time([&] { return pool.stopped(); }));
}

BOOST_AUTO_TEST_SUITE_END()
