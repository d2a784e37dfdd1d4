// The C face of the libraries: all that the Go side sees.
#pragma once
#ifdef __cplusplus
extern "C" {
#endif

typedef struct job job;

const char *job_missing(const char *library); // "" if the library is here
const char *job_versions(void);
job *job_new(const char *library, int element_size, int m, int k, int n, const char *op, const char *act, double alpha, int threads);
void job_add(job *j, void *a, void *b, void *c, void *bias, void *saved); // one more set of operands
const char *job_ready(job *j);                                            // after the last set: "" or why it cannot be done
const char *job_how(job *j);
void job_run(job *j, long n);
void job_free(job *j);

#ifdef __cplusplus
}
#endif
