// Copyright (c) 2025 the asio_proactor authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE or https://www.boost.org/LICENSE_1_0.txt)
//
// A number of messages echoed over a pair of sockets within one process and one thread, in plain Boost.Asio: work of a fixed size, for
// counting.
#include "socket_pair.hpp"
#include "usage_report.hpp"

namespace {

constexpr std::uint64_t message_count = 5'000;

} // namespace

int main()
{
  return bench::run_main([] {
    boost::asio::io_context context;
    bench::socket_pair pair(context, message_count);
    bench::stopwatch watch;
    watch.start();
    pair.start();
    context.run();
    watch.stop(message_count);
    pair.require_all_messages();
    watch.print();
  });
}
