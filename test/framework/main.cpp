// Boost.Test's framework and main(), compiled once for all test programs of a build.
#define BOOST_TEST_MODULE asio_proactor
#include <boost/test/included/unit_test.hpp>
