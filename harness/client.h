#ifndef HARNESS_CLIENT_H_
#define HARNESS_CLIENT_H_

/* How any program tells Plimsoll where an iteration ends. Plain C, header only, no
 * library to link: the functions find the preloaded ledger at run time, and are
 * no-ops outside a harness run. Call them from one thread at a time. */

#include <dlfcn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Defined where the agent is linked into the program (sanitizer builds, LEAK_TEST). A
 * preloaded agent is looked up instead: linkers may settle a weak reference to nothing
 * before the program ever runs. */
__attribute__((weak)) int plimsoll_agent_iteration_end(void);
__attribute__((weak)) int plimsoll_agent_present(void);
__attribute__((weak)) void plimsoll_agent_block(int acquired, const void* address,
                                                unsigned long size);

#ifdef __cplusplus
} /* extern "C" */
#endif

/* The agent's function called `name`, or null. `*cache` is null before the first call,
 * and its own address once it is known that there is none. */
static inline void* plimsoll_find(void** cache, void* linked, const char* name) {
  void* found = __atomic_load_n(cache, __ATOMIC_ACQUIRE);
  if (!found) {
    /* A null handle is RTLD_DEFAULT, which strict C modes do not declare. */
    found = linked ? linked : dlsym((void*)0, name);
    if (!found) found = (void*)cache;
    __atomic_store_n(cache, found, __ATOMIC_RELEASE);
  }
  return found == (void*)cache ? (void*)0 : found;
}

/* Ends the current iteration: samples, and starts the next epoch. Returns nonzero
 * while the harness wants more iterations, 0 when it has seen enough (or outside a
 * harness run); a program is free to go on. */
static inline int plimsoll_iteration_end(void) {
  static void* cache;
  int (*end)(void) = (int (*)(void))plimsoll_find(&cache, (void*)plimsoll_agent_iteration_end,
                                                  "plimsoll_agent_iteration_end");
  return end ? end() : 0;
}

/* Nonzero inside a harness run. */
static inline int plimsoll_present(void) {
  static void* cache;
  int (*present)(void) = (int (*)(void))plimsoll_find(&cache, (void*)plimsoll_agent_present,
                                                      "plimsoll_agent_present");
  return present ? present() : 0;
}

/* An allocator that carves its own blocks out of larger ones reports them here, so
 * that they are held against the site that asked for them. */
static inline void plimsoll_block(int acquired, const void* address, unsigned long size) {
  static void* cache;
  void (*block)(int, const void*, unsigned long) =
      (void (*)(int, const void*, unsigned long))plimsoll_find(
          &cache, (void*)plimsoll_agent_block, "plimsoll_agent_block");
  if (block) block(acquired, address, size);
}
static inline void plimsoll_block_acquired(const void* address, unsigned long size) {
  plimsoll_block(1, address, size);
}
static inline void plimsoll_block_released(const void* address) { plimsoll_block(0, address, 0); }

#endif /* HARNESS_CLIENT_H_ */
