# Flags of our own build, never passed on to a consumer.

# Instrumented code and the drop-in headers it inlines must match, so these apply to every target at once.
if(ASIO_PROACTOR_SANITIZE)
  add_compile_options(-fsanitize=${ASIO_PROACTOR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ASIO_PROACTOR_SANITIZE})
endif()

# Warnings are for the library and its own programs.
function(asio_proactor_developer_flags target)
  target_compile_options(${target} PRIVATE -Wall -Wextra)
  set_target_properties(${target} PROPERTIES CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
endfunction()
