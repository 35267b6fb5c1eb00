//
// asio_proactor/drop_in/include_order.hpp: fails the build, with a sentence, if Boost would be found before the drop-in.
//
// The build's flags include it first in every file. It holds no declaration, so that a precompiled header may follow.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE)
//
#ifndef ASIO_PROACTOR_DROP_IN_INCLUDE_ORDER_HPP
#define ASIO_PROACTOR_DROP_IN_INCLUDE_ORDER_HPP

#include <boost/asio/unyield.hpp>

#if !defined(ASIO_PROACTOR_COMES_FIRST_ON_THE_INCLUDE_PATH)
# error                                                                                                                \
   "asio_proactor: the directory asio_proactor/drop_in/include must come before that of Boost on the include path: put the flags of asio_proactor::drop_in first, or give Boost with -isystem"
#endif

#endif // ASIO_PROACTOR_DROP_IN_INCLUDE_ORDER_HPP
