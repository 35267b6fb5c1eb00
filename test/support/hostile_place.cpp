// Copyright (c) 2025 The asio_proactor authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE or http://www.boost.org/LICENSE_1_0.txt)

// hostile_place KIND PROGRAM [ARGUMENT...]: runs a program where not everything is allowed. KIND is
//   EPERM    io_uring_setup(2) fails with it, as under the seccomp profile of a container
//   ENOSYS   the same, as on a kernel without io_uring
//   LIMITS   little memory may be locked and few descriptors be open, even by root

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// Less than two rings of the usual size, on kernels that count them as locked memory.
constexpr ::rlim_t few_bytes = 256 * 1024;
constexpr ::rlim_t few_descriptors = 512;

bool forbid_io_uring(int error)
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

bool lower_limit(decltype(RLIMIT_NOFILE) resource, ::rlim_t value)
{
  const ::rlimit limit = {value, value};
  return ::setrlimit(resource, &limit) == 0;
}

bool lower_limits()
{
  // What root may lock is not counted as long as it has this capability. It is gone with the exec that follows.
  if (::geteuid() == 0 && ::prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0) != 0)
    return false;
  return lower_limit(RLIMIT_MEMLOCK, few_bytes) && lower_limit(RLIMIT_NOFILE, few_descriptors);
}

bool make_hostile(const char* kind, bool& is_known)
{
  is_known = true;
  if (std::strcmp(kind, "EPERM") == 0)
    return forbid_io_uring(EPERM);
  if (std::strcmp(kind, "ENOSYS") == 0)
    return forbid_io_uring(ENOSYS);
  if (std::strcmp(kind, "LIMITS") == 0)
    return lower_limits();
  return is_known = false;
}

} // namespace

int main(int argc, char** argv)
{
  bool is_known = false;
  const bool is_hostile = argc > 2 && make_hostile(argv[1], is_known);
  if (!is_known)
  {
    std::fprintf(stderr, "usage: hostile_place EPERM|ENOSYS|LIMITS PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  if (!is_hostile)
  {
    std::perror(argv[1]);
    return 1;
  }
  ::execvp(argv[2], argv + 2);
  std::perror(argv[2]);
  return 1;
}
