// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// stream_file and random_access_file. Stock Asio has no files without io_uring, so there is nothing to compare with.

#define BOOST_TEST_MODULE files
#include <boost/test/included/unit_test.hpp>

#include "support/net.hpp"
#include "support/process.hpp"
#include "support/watchdog.hpp"

#if defined(BOOST_ASIO_HAS_FILE)

# include <asio_proactor/driver.hpp>
# include <boost/asio/random_access_file.hpp>
# include <boost/asio/stream_file.hpp>
# include <algorithm>
# include <array>
# include <atomic>
# include <cstdint>
# include <cstdlib>
# include <cstring>
# include <memory>
# include <random>
# include <string>
# include <thread>
# include <vector>
# include <sys/eventfd.h>
# include <sys/stat.h>
# include <sys/uio.h>
# include <unistd.h>

using namespace test_support;

namespace {

using flags = asio::file_base::flags;
constexpr flags read_write = asio::file_base::read_write;
constexpr flags create = asio::file_base::create;

// A file of its own for each test, gone afterwards.
struct temporary_file
{
  std::string path = "/tmp/asio_proactor_file_XXXXXX";

  temporary_file()
  {
    const int fd = ::mkstemp(path.data());
    BOOST_TEST_REQUIRE(fd >= 0);
    ::close(fd);
  }
  ~temporary_file() { ::unlink(path.c_str()); }

  off_t size() const
  {
    struct stat s = {};
    ::stat(path.c_str(), &s);
    return s.st_size;
  }
};

std::string content(std::size_t size)
{
  std::string text(size, '\0');
  std::mt19937 numbers(static_cast<unsigned>(size));
  for (char& c : text)
    c = static_cast<char>(numbers());
  return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(stream_files)

BOOST_AUTO_TEST_CASE(written_read_back_and_ended)
{
  temporary_file file;
  asio::io_context ctx;
  const std::string text = content(300001);
  {
    asio::stream_file out(ctx, file.path, asio::file_base::write_only);
    outcome first, second;
    asio::async_write(out, asio::buffer(text.data(), 100), first.handler());
    ctx.run();
    asio::async_write(out, asio::buffer(text.data() + 100, text.size() - 100), second.handler());
    ctx.restart();
    ctx.run();
    BOOST_TEST((first.bytes == 100 && second.bytes == text.size() - 100));
    BOOST_TEST(out.size() == text.size());
  }
  asio::stream_file in(ctx, file.path, asio::file_base::read_only);
  std::string got(text.size() + 10, '\0');
  outcome read, end;
  asio::async_read(in, asio::buffer(got), read.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(read.ec == asio::error::eof);
  BOOST_TEST(read.bytes == text.size());
  BOOST_TEST(got.compare(0, text.size(), text) == 0);
  in.async_read_some(asio::buffer(got), end.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST((end.ec == asio::error::eof && end.bytes == 0));
}

// Without the order of a stream, each read would have to say where it starts.
BOOST_AUTO_TEST_CASE(several_reads_at_once_keep_their_order)
{
  temporary_file file;
  asio::io_context ctx;
  const std::string text = content(64 * 1000);
  asio::stream_file stream(ctx, file.path, read_write);
  asio::write(stream, asio::buffer(text));
  stream.seek(0, asio::file_base::seek_set);
  std::string got(text.size(), '\0');
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < 64; ++i)
    stream.async_read_some(asio::buffer(got.data() + i * 1000, 1000), [&order, i](error_code ec, std::size_t n) {
      BOOST_TEST((!ec && n == 1000));
      order.push_back(i);
    });
  ctx.run();
  BOOST_TEST(order.size() == 64u);
  BOOST_TEST(std::is_sorted(order.begin(), order.end()));
  BOOST_TEST((got == text));
}

BOOST_AUTO_TEST_CASE(seek_size_resize_and_sync)
{
  temporary_file file;
  asio::io_context ctx;
  asio::stream_file stream(ctx, file.path, read_write);
  asio::write(stream, asio::buffer("0123456789", 10));
  BOOST_TEST(stream.seek(-4, asio::file_base::seek_cur) == 6u);
  BOOST_TEST(stream.seek(-1, asio::file_base::seek_end) == 9u);
  BOOST_TEST(stream.seek(3, asio::file_base::seek_set) == 3u);
  char c = 0;
  outcome read;
  stream.async_read_some(asio::buffer(&c, 1), read.handler());
  ctx.run();
  BOOST_TEST(c == '3');
  stream.resize(5);
  BOOST_TEST((stream.size() == 5u && file.size() == 5));
  error_code all, data;
  stream.sync_all(all);
  stream.sync_data(data);
  BOOST_TEST((!all && !data));
  error_code refused;
  stream.seek(-1, asio::file_base::seek_set, refused);
  BOOST_TEST(refused == asio::error::invalid_argument);
}

BOOST_AUTO_TEST_CASE(opening)
{
  temporary_file file;
  asio::io_context ctx;
  asio::stream_file stream(ctx);
  error_code missing, exists, again;
  stream.open("/tmp/asio_proactor/does/not/exist", asio::file_base::read_only, missing);
  BOOST_TEST(missing == boost::system::errc::no_such_file_or_directory);
  stream.open(file.path, read_write | create | asio::file_base::exclusive, exists);
  BOOST_TEST(exists == boost::system::errc::file_exists);
  stream.open(file.path, asio::file_base::write_only | asio::file_base::append);
  stream.open(file.path, read_write, again);
  BOOST_TEST(again == asio::error::already_open);
  asio::write(stream, asio::buffer("ab", 2));
  stream.close();
  stream.open(file.path, asio::file_base::write_only | asio::file_base::append);
  asio::write(stream, asio::buffer("cd", 2));
  BOOST_TEST(file.size() == 4);
  stream.close();
  stream.open(file.path, asio::file_base::write_only | asio::file_base::truncate);
  BOOST_TEST(file.size() == 0);
  stream.close();
  outcome read;
  char c;
  stream.async_read_some(asio::buffer(&c, 1), read.handler());
  ctx.run();
  BOOST_TEST(read.ec == asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(assign_release_and_move)
{
  temporary_file file;
  asio::io_context ctx;
  asio::stream_file first(ctx, file.path, read_write);
  const int fd = first.native_handle();
  asio::stream_file second(std::move(first));
  BOOST_TEST(!first.is_open());
  BOOST_TEST(second.release() == fd);
  asio::stream_file third(ctx, fd);
  outcome write;
  third.async_write_some(asio::buffer("x", 1), write.handler());
  ctx.run();
  BOOST_TEST((write.bytes == 1 && file.size() == 1));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(random_access_files)

BOOST_AUTO_TEST_CASE(vectors_offsets_and_end)
{
  temporary_file file;
  asio::io_context ctx;
  asio::random_access_file random(ctx, file.path, read_write);
  std::array<asio::const_buffer, 3> parts{asio::buffer("abc", 3), asio::buffer("", 0), asio::buffer("defg", 4)};
  outcome write, read, end;
  asio::async_write_at(random, 5, parts, write.handler());
  ctx.run();
  BOOST_TEST((write.bytes == 7 && file.size() == 12));
  char a[2], b[3];
  std::array<asio::mutable_buffer, 2> into{asio::buffer(a), asio::buffer(b)};
  random.async_read_some_at(6, into, read.handler());
  random.async_read_some_at(12, into, end.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST(read.bytes == 5u);
  BOOST_TEST((std::string(a, 2) == "bc" && std::string(b, 3) == "def"));
  BOOST_TEST((end.ec == asio::error::eof && end.bytes == 0));
  char c;
  BOOST_TEST(random.read_some_at(11, asio::buffer(&c, 1)) == 1u);
  BOOST_TEST(c == 'g');
  BOOST_TEST(random.write_some_at(0, asio::buffer("z", 1)) == 1u);
}

namespace {

constexpr std::size_t block_size = 512;

struct block_traffic
{
  asio::random_access_file& file;
  std::atomic<int> done{0};
  std::atomic<int> wrong{0};

  // Every block says its own number, so that a block at the wrong place or in the wrong buffer shows.
  static std::string block(std::size_t number)
  {
    std::string text(block_size, static_cast<char>(number * 7));
    std::memcpy(text.data(), &number, sizeof number);
    return text;
  }

  void write(std::size_t number)
  {
    auto text = std::make_unique<std::string>(block(number));
    auto buffer = asio::buffer(*text);
    file.async_write_some_at(number * block_size, buffer,
                             [this, number, text = std::move(text)](error_code ec, std::size_t n) {
                               wrong += ec || n != block_size;
                               read(number);
                             });
  }

  void read(std::size_t number)
  {
    auto text = std::make_unique<std::string>(block_size, '\0');
    auto buffer = asio::buffer(*text);
    file.async_read_some_at(number * block_size, buffer,
                            [this, number, text = std::move(text)](error_code ec, std::size_t n) {
                              wrong += ec || n != block_size || *text != block(number);
                              ++done;
                            });
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(thousands_of_blocks_from_several_threads)
{
  constexpr int blocks = 6000;
  temporary_file file;
  asio::io_context ctx;
  asio::random_access_file random(ctx, file.path, read_write);
  block_traffic traffic{random};
  // Starting an operation on one file from several threads is not for the program to do, so a strand does it.
  auto strand = asio::make_strand(ctx);
  std::vector<std::size_t> numbers(blocks);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = i;
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937(1));
  for (std::size_t number : numbers)
    asio::post(strand, asio::bind_executor(strand, [&traffic, number] { traffic.write(number); }));
  std::thread others[2] = {std::thread([&] { ctx.run(); }), std::thread([&] { ctx.run(); })};
  ctx.run();
  for (std::thread& other : others)
    other.join();
  BOOST_TEST(traffic.done == blocks);
  BOOST_TEST(traffic.wrong == 0);
  BOOST_TEST(file.size() == static_cast<off_t>(blocks * block_size));
}

// Handing it to another thread, and the result back, takes several times as long as reading it.
BOOST_AUTO_TEST_CASE(what_is_in_memory_is_read_without_another_thread)
{
  constexpr std::uint64_t offset = 10000;
  temporary_file file;
  asio::io_context ctx;
  asio::random_access_file random(ctx, file.path, read_write);
  const std::string text = content(20000);
  std::string got(4096, '\0');
  BOOST_TEST(random.write_some_at(0, asio::buffer(text)) == text.size());
  const ::iovec all = {got.data(), got.size()};
  if (::preadv2(random.native_handle(), &all, 1, offset, RWF_NOWAIT) != 4096)
  {
    BOOST_TEST_MESSAGE("this file system cannot be asked for what is in memory");
    return;
  }
  got.assign(got.size(), '\0');
  const std::size_t threads = count_of_threads();
  outcome one, vectors;
  random.async_read_some_at(offset, asio::buffer(got.data(), 1000), one.handler());
  const std::array<asio::mutable_buffer, 2> halves = {asio::buffer(got.data() + 1000, 96),
                                                      asio::buffer(got.data() + 1096, 3000)};
  random.async_read_some_at(offset + 1000, halves, vectors.handler());
  BOOST_TEST(one.calls + vectors.calls == 0);
  ctx.run();
  BOOST_TEST(count_of_threads() == threads);
  BOOST_TEST((!one.ec && one.bytes == 1000));
  BOOST_TEST((!vectors.ec && vectors.bytes == 3096));
  BOOST_TEST(text.compare(offset, got.size(), got) == 0);
}

// What the cache has is not all there is to read, and the end is an end.
BOOST_AUTO_TEST_CASE(read_beyond_the_end)
{
  temporary_file file;
  asio::io_context ctx;
  asio::random_access_file random(ctx, file.path, read_write);
  const std::string text = content(5000);
  random.write_some_at(0, asio::buffer(text));
  std::string got(4096, '\0');
  outcome part, end;
  random.async_read_some_at(4000, asio::buffer(got), part.handler());
  ctx.run();
  BOOST_TEST((!part.ec && part.bytes == 1000));
  BOOST_TEST(text.compare(4000, 1000, got, 0, 1000) == 0);
  random.async_read_some_at(5000, asio::buffer(got), end.handler());
  ctx.restart();
  ctx.run();
  BOOST_TEST((end.ec == asio::error::eof && end.bytes == 0));
}

// Stock Asio sends one after the other: the one behind would wait for the one before it.
BOOST_AUTO_TEST_CASE(one_does_not_wait_for_another)
{
  // A FIFO blocks its reader, which no regular file does for long enough to be seen.
  const std::string path = "/tmp/asio_proactor_fifo_" + std::to_string(::getpid());
  BOOST_TEST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int fifo = ::open(path.c_str(), O_RDWR);
  ::unlink(path.c_str());
  asio::io_context ctx;
  asio::random_access_file random(ctx, fifo);
  char first = 0, second = 0;
  outcome one, two;
  constexpr std::uint64_t no_position = ~std::uint64_t{0};
  random.async_read_some_at(no_position, asio::buffer(&first, 1), one.handler());
  random.async_write_some_at(no_position, asio::buffer("x", 1), two.handler());
  random.async_read_some_at(no_position, asio::buffer(&second, 1), two.handler());
  BOOST_TEST(run_until(ctx, [&] { return one.calls + two.calls == 2; }));
  BOOST_TEST(::write(fifo, "y", 1) == 1);
  BOOST_TEST(run_until(ctx, [&] { return one.calls + two.calls == 3; }));
  BOOST_TEST(first + second == 'x' + 'y');
}

// The same for operations of one direction, whichever way the file was opened: the first read has nothing to read, the second is
// refused at once, because less than eight bytes are never read from an eventfd(2).
BOOST_AUTO_TEST_CASE(a_read_does_not_wait_for_another)
{
  constexpr std::uint64_t no_position = ~std::uint64_t{0};
  const auto overtakes = [](auto open) {
    asio::io_context ctx;
    const int counter = ::eventfd(0, EFD_CLOEXEC);
    BOOST_TEST_REQUIRE(counter >= 0);
    asio::random_access_file file = open(ctx, counter);
    std::uint64_t value = 0;
    char few[4];
    outcome waits, refused;
    file.async_read_some_at(no_position, asio::buffer(&value, sizeof value), waits.handler());
    file.async_read_some_at(no_position, asio::buffer(few), refused.handler());
    // The epoll driver does not try again what it has found empty.
    const bool has_overtaken =
      asio_proactor::driver_of(ctx).name == "epoll" || (run_until(
                                                          ctx, [&] { return refused.calls == 1; }, 500ms) &&
                                                        waits.calls == 0);
    const std::uint64_t one = 1;
    BOOST_TEST(::write(counter, &one, sizeof one) == 8);
    BOOST_TEST(run_until(ctx, [&] { return waits.calls + refused.calls == 2; }));
    BOOST_TEST(refused.ec == asio::error::invalid_argument);
    return has_overtaken;
  };
  BOOST_TEST(overtakes([](asio::io_context& ctx, int fd) { return asio::random_access_file(ctx, fd); }));
  BOOST_TEST(overtakes([](asio::io_context& ctx, int fd) {
    asio::random_access_file file(ctx);
    file.assign(fd);
    return file;
  }));
  BOOST_TEST(overtakes([](asio::io_context& ctx, int fd) {
    asio::random_access_file first(ctx, fd);
    asio::random_access_file second(ctx);
    second = std::move(first);
    return second;
  }));
  // Opened by its constructor.
  const temporary_file file;
  asio::io_context ctx;
  if (asio_proactor::driver_of(ctx).name == "epoll")
    return;
  asio::random_access_file opened(ctx, file.path, read_write);
  const int fd = opened.native_handle();
  const int counter = ::eventfd(0, EFD_CLOEXEC);
  BOOST_TEST_REQUIRE(::dup2(counter, fd) == fd);
  ::close(counter);
  std::uint64_t value = 0;
  char few[4];
  outcome waits, refused;
  opened.async_read_some_at(no_position, asio::buffer(&value, sizeof value), waits.handler());
  opened.async_read_some_at(no_position, asio::buffer(few), refused.handler());
  BOOST_TEST(run_until(
    ctx, [&] { return refused.calls == 1; }, 500ms));
  BOOST_TEST(waits.calls == 0);
}

BOOST_AUTO_TEST_CASE(closed_and_destroyed_in_flight)
{
  temporary_file file;
  for (int i = 0; i < 50; ++i)
  {
    auto buffers = std::make_shared<std::vector<char>>(1 << 16, 'c');
    int calls = 0;
    asio::io_context ctx;
    asio::random_access_file random(ctx, file.path, read_write);
    for (std::uint64_t block = 0; block < 8; ++block)
      random.async_write_some_at(block << 16, asio::buffer(*buffers), [&calls, buffers](error_code ec, std::size_t n) {
        ++calls;
        BOOST_TEST((ec == asio::error::operation_aborted || (!ec && n == buffers->size())));
      });
    if (i % 3 != 0)
      ctx.poll();
    if (i % 2)
    {
      random.close();
      ctx.restart();
      ctx.run();
      BOOST_TEST(calls == 8);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

#else

BOOST_AUTO_TEST_CASE(no_files_without_io_uring) {}

#endif
