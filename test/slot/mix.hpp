// One function declared for two translation units: linked only if both agree on what an io_context is.
#pragma once
#include <boost/asio/io_context.hpp>

std::size_t run_elsewhere(boost::asio::io_context& context);
