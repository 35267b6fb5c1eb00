// Random programs of Boost.Asio on a random kernel, in virtual time: sockets, an acceptor, a file, timers, cancelling, closing, stopping,
// destroying, from inside and outside of handlers. Every handler is called once or destroyed, by the loop and by nobody else, and no byte,
// connection or descriptor is lost.
//
// ASIO_PROACTOR_SIM_SEEDS=N runs N schedules instead of the usual number, ASIO_PROACTOR_SIM_SEED=S only that of one seed.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#define BOOST_TEST_MODULE programs
#include <boost/test/included/unit_test.hpp>

#include "seeds.hpp"
#include "simulated_kernel.hpp"

#include <boost/asio.hpp>
#include <boost/asio/random_access_file.hpp>
#include <core/choose_driver.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace sim;
namespace asio = boost::asio;
using boost::system::error_code;
using local = asio::local::stream_protocol;

constexpr std::uint64_t usual_schedules = 10000;
constexpr int steps_of_a_program = 60;
constexpr int turns_to_the_end = 5000;
constexpr std::size_t largest_transfer = 12;
constexpr std::size_t block_size = 16;

simulated_kernel* current_kernel = nullptr;

// The simulated kernel's time, which passes while a program waits.
struct virtual_clock
{
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<virtual_clock>;
  [[maybe_unused]] static constexpr bool is_steady = true;

  static time_point now() { return time_point(duration(current_kernel->now_ns())); }
};
using virtual_timer = asio::basic_waitable_timer<virtual_clock>;

/// What became of one handler.
struct fate
{
  int calls = 0;
  int destructions = 0;
  bool may_be_cancelled = false;
};

class random_program;

/// A handler that writes down what happens to it.
template <class Then>
class witness
{
public:
  witness(random_program& program, fate& f, Then then) : program_(&program), fate_(&f), then_(std::move(then)) {}
  witness(witness&& other) noexcept
    : program_(other.program_),
      fate_(std::exchange(other.fate_, nullptr)),
      then_(std::move(other.then_))
  {}
  ~witness()
  {
    if (fate_)
      ++fate_->destructions;
  }

  template <class... Results>
  void operator()(Results... results);

private:
  random_program* program_;
  fate* fate_;
  Then then_;
};

struct connection
{
  explicit connection(asio::io_context& context) : socket(context) {}

  local::socket socket;
  int fd = -1;
  std::string fed;
  std::string received;
  std::size_t reported_sent = 0;
};

class random_program
{
public:
  explicit random_program(std::uint64_t seed) : kernel_(seed), dice_(seed * 131 + 5)
  {
    current_kernel = &kernel_;
    core::replace_choice([this] { return std::make_unique<simulated_factory>(kernel_); });
    context_ = std::make_unique<asio::io_context>();
    acceptor_ = std::make_unique<local::acceptor>(*context_);
    acceptor_->assign(local(), listener_ = adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    file_ = std::make_unique<asio::random_access_file>(*context_);
    open_file();
    for (int i = 0; i < 3; ++i)
      timers_.push_back(std::make_unique<virtual_timer>(*context_));
  }

  ~random_program() { core::replace_choice({}); }

  void run()
  {
    const bool from_inside = dice_.percent(50);
    if (from_inside)
    {
      // Long enough in run() for the loop to take a ring of its own.
      asio::post(*context_, [this] { step_from_inside(steps_of_a_program); });
      run_loop([this] { return context_->run(); });
    }
    else
      for (int i = 0; i < steps_of_a_program; ++i)
        step();
    if (dice_.percent(40))
      end_by_destroying();
    else
      end_by_waiting();
    check_fates();
  }

  void called(fate& f)
  {
    if (!is_running_ || is_initiating_)
      throw violation("a handler is called, and not by the loop");
    if (++f.calls != 1)
      throw violation("a handler is called twice");
  }

  void may_start_another()
  {
    if (context_ && dice_.percent(30))
      start_something();
  }

private:
  int adopt(int fd)
  {
    kernel_.adopt(fd);
    return fd;
  }

  template <class Then>
  witness<Then> handler(Then then)
  {
    fates_.push_back(std::make_unique<fate>());
    return {*this, *fates_.back(), std::move(then)};
  }

  // Nothing that is started here may call its handler here.
  template <class Start>
  void initiate(Start start)
  {
    const bool before = std::exchange(is_initiating_, true);
    start();
    is_initiating_ = before;
  }

  template <class Run>
  void run_loop(Run run)
  {
    const bool before = std::exchange(is_running_, true);
    const bool initiating = std::exchange(is_initiating_, false);
    run();
    is_running_ = before;
    is_initiating_ = initiating;
  }

  void step_from_inside(int left)
  {
    step();
    if (left > 0)
      asio::post(*context_, [this, left] { step_from_inside(left - 1); });
    else
      context_->stop(); // What was started may wait for a peer for ever.
  }

  void step()
  {
    const unsigned what = dice_.below(100);
    if (what < 8)
      open();
    else if (what < 45)
      start_something();
    else if (what < 58)
      feed();
    else if (what < 64)
      cancel();
    else if (what < 68)
      close();
    else if (what < 72)
      stop();
    else
      take_turns();
  }

  void take_turns()
  {
    const unsigned how = dice_.below(4);
    if (context_->stopped())
      context_->restart();
    if (how == 0)
      run_loop([this] { context_->poll(); });
    else if (how == 1)
      run_loop([this] { context_->poll_one(); });
    else
      run_loop([this] { context_->run_one_for(std::chrono::nanoseconds(1)); });
  }

  void open()
  {
    auto c = std::make_unique<connection>(*context_);
    c->fd = adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    c->socket.assign(local(), c->fd);
    connections_.push_back(std::move(c));
  }

  connection* any_connection()
  {
    return connections_.empty() ? nullptr : connections_[dice_.below(static_cast<unsigned>(connections_.size()))].get();
  }

  void start_something()
  {
    connection* c = any_connection();
    initiate([&] {
      switch (dice_.below(8))
      {
      case 0: return c ? read(*c) : wait(any_timer());
      case 1: return c ? write(*c) : accept();
      case 2: return c ? wait_for_input(*c) : post();
      case 3: return wait(any_timer());
      case 4: return accept();
      case 5: return write_block();
      case 6: return read_block();
      default: return post();
      }
    });
  }

  void post()
  {
    asio::post(*context_, handler([] {}));
  }

  void read(connection& c)
  {
    auto buffer = std::make_shared<std::string>(1 + dice_.below(largest_transfer), '\0');
    auto on_read = handler([this, &c, buffer](error_code ec, std::size_t n) {
      c.received.append(*buffer, 0, n);
      if (c.fed.compare(0, c.received.size(), c.received) != 0)
        throw violation("bytes are lost, doubled or in another order");
      check_error(ec);
    });
    c.socket.async_read_some(asio::buffer(*buffer), std::move(on_read));
  }

  void write(connection& c)
  {
    auto buffer = std::make_shared<std::string>(1 + dice_.below(largest_transfer), 'w');
    auto on_written = handler([this, &c, buffer](error_code ec, std::size_t n) {
      c.reported_sent += n;
      check_error(ec);
    });
    c.socket.async_write_some(asio::buffer(*buffer), std::move(on_written));
  }

  void wait_for_input(connection& c)
  {
    c.socket.async_wait(local::socket::wait_read, handler([this](error_code ec) { check_error(ec); }));
  }

  virtual_timer& any_timer() { return *timers_[dice_.below(static_cast<unsigned>(timers_.size()))]; }

  void wait(virtual_timer& timer)
  {
    const auto due = virtual_clock::now() + std::chrono::nanoseconds(dice_.below(20000));
    // Setting it anew cancels who waits already.
    allow_cancellation();
    timer.expires_at(due);
    timer.async_wait(handler([this, due](error_code ec) {
      if (!ec && virtual_clock::now() < due)
        throw violation("a timer fires before its time");
      check_error(ec);
    }));
  }

  void accept()
  {
    acceptor_->async_accept(handler([this](error_code ec, local::socket accepted) {
      accepted_ += accepted.is_open();
      check_error(ec);
    }));
  }

  void open_file()
  {
    file_->assign(file_descriptor_ = adopt(::memfd_create("sim", MFD_CLOEXEC)));
    foretold_ = std::make_shared<std::string>();
  }

  void close_file()
  {
    allow_cancellation();
    initiate([this] { file_->close(); });
    kernel_.close(file_descriptor_);
    open_file();
  }

  // Each block is written by one operation, so that the file's content can be foretold.
  void write_block()
  {
    const std::size_t offset = blocks_++ * block_size;
    auto buffer = std::make_shared<std::string>(block_size, static_cast<char>('a' + blocks_ % 26));
    auto on_written = handler([this, offset, buffer, content = foretold_](error_code ec, std::size_t n) {
      if (n != 0)
      {
        content->resize(std::max(content->size(), offset + n));
        content->replace(offset, n, *buffer, 0, n);
      }
      check_error(ec);
    });
    file_->async_write_some_at(offset, asio::buffer(*buffer), std::move(on_written));
  }

  void read_block()
  {
    if (foretold_->empty())
      return post();
    const std::size_t offset = dice_.below(static_cast<unsigned>(foretold_->size()));
    auto buffer = std::make_shared<std::string>(block_size, '\0');
    auto on_read = handler([this, offset, buffer, content = foretold_](error_code ec, std::size_t n) {
      // What was known to be written is still there; what was not may be.
      for (std::size_t i = 0; i < n && offset + i < content->size(); ++i)
        if ((*content)[offset + i] != '\0' && (*content)[offset + i] != (*buffer)[i])
          throw violation("a read at an offset brings other bytes than were written there");
      check_error(ec);
    });
    file_->async_read_some_at(offset, asio::buffer(*buffer), std::move(on_read));
  }

  void check_error(error_code ec)
  {
    if (ec == asio::error::operation_aborted && !current_->may_be_cancelled)
      throw violation("a cancellation that nobody asked for is reported");
    if (ec == asio::error::interrupted)
      throw violation("an interruption is reported");
  }

  void feed()
  {
    if (dice_.percent(25))
      return kernel_.peer_connects(listener_), void(++connecting_);
    connection* c = any_connection();
    if (!c)
      return;
    std::string bytes(1 + dice_.below(20), '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(next_byte_++);
    c->fed += bytes;
    kernel_.peer_sends(c->fd, bytes);
  }

  // Which handlers a cancellation meets is for other tests; here it must not invent any.
  void allow_cancellation()
  {
    for (auto& f : fates_)
      if (f->calls == 0)
        f->may_be_cancelled = true;
  }

  void cancel()
  {
    allow_cancellation();
    initiate([this] {
      connection* c = any_connection();
      switch (dice_.below(4))
      {
      case 0: any_timer().cancel(); break;
      case 1: acceptor_->cancel(); break;
      case 2: file_->cancel(); break;
      default:
        if (c)
          c->socket.cancel();
      }
    });
  }

  void close()
  {
    if (connections_.empty() || dice_.percent(25))
      return close_file();
    const auto chosen = connections_.begin() + dice_.below(static_cast<unsigned>(connections_.size()));
    allow_cancellation();
    initiate([&] {
      if (dice_.percent(50))
        (*chosen)->socket.close();
      else
        ::close((*chosen)->socket.release());
    });
    kernel_.close((*chosen)->fd);
    closed_.push_back(std::move(*chosen));
    connections_.erase(chosen);
  }

  void stop()
  {
    // Inside run() that would end the program.
    if (is_running_)
      return;
    context_->stop();
    run_loop([this] {
      if (context_->run() != 0 || context_->poll() != 0)
        throw violation("a stopped context calls a handler");
    });
    context_->restart();
  }

  void end_by_waiting()
  {
    kernel_.become_calm();
    kernel_.peer_ends(listener_);
    for (auto& c : connections_)
      kernel_.peer_ends(c->fd);
    if (context_->stopped())
      context_->restart();
    for (int i = 0; i < turns_to_the_end && !context_->stopped(); ++i)
      run_loop([this] { context_->run_one(); });
    for (auto& f : fates_)
      if (f->calls != 1)
        throw violation("a handler is never called");
    for (auto& c : connections_)
      if (kernel_.sent(c->fd).size() != c->reported_sent || kernel_.unread(c->fd) + c->received.size() != c->fed.size())
        throw violation("bytes have moved that nobody has reported");
    if (kernel_.content(file_descriptor_) != *foretold_)
      throw violation("the file holds something else than what was reported as written");
    if (accepted_ != connecting_ - kernel_.unaccepted(listener_))
      throw violation("a connection was accepted and lost");
    end_by_destroying();
  }

  void end_by_destroying()
  {
    if (dice_.percent(50))
      give_objects_to_a_handler();
    // What is left goes before the context: its operations are aborted, and their handlers die with the context.
    connections_.clear();
    closed_.clear();
    timers_.clear();
    acceptor_.reset();
    file_.reset();
    context_.reset();
  }

  // I/O objects that handlers own die after the services, so a late one must find nothing to do.
  void give_objects_to_a_handler()
  {
    asio::post(*context_, [connections = std::make_shared<decltype(connections_)>(std::move(connections_)),
                           timers = std::make_shared<decltype(timers_)>(std::move(timers_))] {});
  }

  void check_fates()
  {
    for (auto& f : fates_)
      if (f->destructions != 1)
        throw violation("a handler is not destroyed, or twice");
  }

  template <class Then>
  friend class witness;

  simulated_kernel kernel_;
  dice dice_;
  fate* current_ = nullptr;
  bool is_running_ = false;
  bool is_initiating_ = false;
  unsigned char next_byte_ = 0;
  int listener_ = -1;
  int file_descriptor_ = -1;
  int connecting_ = 0;
  int accepted_ = 0;
  std::size_t blocks_ = 0;
  std::shared_ptr<std::string> foretold_; // What the file is known to hold; zeros are not known.
  std::vector<std::unique_ptr<fate>> fates_;
  std::unique_ptr<asio::io_context> context_;
  std::unique_ptr<local::acceptor> acceptor_;
  std::unique_ptr<asio::random_access_file> file_;
  std::vector<std::unique_ptr<virtual_timer>> timers_;
  std::vector<std::unique_ptr<connection>> connections_;
  std::vector<std::unique_ptr<connection>> closed_;
};

template <class Then>
template <class... Results>
void witness<Then>::operator()(Results... results)
{
  program_->called(*fate_);
  fate* const before = std::exchange(program_->current_, fate_);
  then_(std::move(results)...);
  program_->current_ = before;
  program_->may_start_another();
}

int open_descriptors()
{
  // Numbers are given out from the lowest, so the next one tells whether any was left open below.
  const int next = ::dup(0);
  ::close(next);
  return next;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_handler_meets_its_fate_under_every_schedule)
{
  for_each_seed(usual_schedules, [](std::uint64_t seed) {
    const int before = open_descriptors();
    random_program(seed).run();
    if (open_descriptors() != before)
      throw violation("a descriptor is left open");
  });
}
