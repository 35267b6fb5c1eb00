// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// forbid_io_uring ERRNO PROGRAM [ARGUMENT...]: runs a program in which io_uring_setup(2) fails with EPERM or ENOSYS, as it
// does under the seccomp profile of a container or on a kernel without io_uring.

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

bool forbid(int error)
{
  ::sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(::seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const ::sock_fprog filter = {sizeof program / sizeof *program, program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

} // namespace

int main(int argc, char** argv)
{
  const char* name = argc > 2 ? argv[1] : "";
  const int error = std::strcmp(name, "EPERM") == 0 ? EPERM : std::strcmp(name, "ENOSYS") == 0 ? ENOSYS : 0;
  if (error == 0)
  {
    std::fprintf(stderr, "usage: forbid_io_uring EPERM|ENOSYS PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  if (!forbid(error))
  {
    std::perror("seccomp");
    return 1;
  }
  ::execvp(argv[2], argv + 2);
  std::perror(argv[2]);
  return 1;
}
