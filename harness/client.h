#ifndef HARNESS_CLIENT_H_
#define HARNESS_CLIENT_H_

/* How any program tells Plimsoll where an iteration ends. Plain C, header only, no
 * library to link: the functions find the preloaded ledger at run time, and are
 * no-ops outside a harness run. Call them from one thread at a time.
 *
 * Other languages write one byte to the descriptor named by the environment
 * variable PLIMSOLL_MARK_FD instead. */

#ifdef __cplusplus
extern "C" {
#endif

/* Provided by the preloaded ledger; absent outside a harness run. */
__attribute__((weak)) int plimsoll_agent_iteration_end(void);
__attribute__((weak)) int plimsoll_agent_present(void);
__attribute__((weak)) void plimsoll_agent_block(int acquired, const void* address, unsigned long size);

#ifdef __cplusplus
} /* extern "C" */
#endif

/* Ends the current iteration: samples, and starts the next epoch. Returns nonzero
 * while the harness wants more iterations, 0 when it has seen enough (or outside a
 * harness run); a program is free to go on. */
static inline int plimsoll_iteration_end(void) {
  return plimsoll_agent_iteration_end ? plimsoll_agent_iteration_end() : 0;
}

/* Nonzero inside a harness run. */
static inline int plimsoll_present(void) {
  return plimsoll_agent_present ? plimsoll_agent_present() : 0;
}

/* An allocator that carves its own blocks out of larger ones reports them here, so
 * that they are held against the site that asked for them. */
static inline void plimsoll_block_acquired(const void* address, unsigned long size) {
  if (plimsoll_agent_block) plimsoll_agent_block(1, address, size);
}
static inline void plimsoll_block_released(const void* address) {
  if (plimsoll_agent_block) plimsoll_agent_block(0, address, 0);
}

#endif /* HARNESS_CLIENT_H_ */
