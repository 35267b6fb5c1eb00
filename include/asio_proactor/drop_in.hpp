//
// asio_proactor/drop_in.hpp: makes every boost::asio type of a program run on asio_proactor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_DROP_IN_HPP
#define ASIO_PROACTOR_DROP_IN_HPP

/// Use it for the whole program: every translation unit, and every library that contains compiled code of Asio.
/**
 * With CMake: target_link_libraries(app PRIVATE asio_proactor::drop_in), which does not need this header.
 * Without: g++ -include asio_proactor/drop_in.hpp app.cpp -lasio_proactor -luring -pthread
 */
#include <asio_proactor/drop_in/slot/configuration.hpp>

// All classes of the slot, at once: from here on Asio's own headers of these names are empty.
#include <asio_proactor/drop_in/slot/io_uring_services.hpp>

#endif // ASIO_PROACTOR_DROP_IN_HPP
