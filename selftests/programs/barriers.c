// SPDX-License-Identifier: GPL-2.0
/*
 * For bench/program: threads that meet at a barrier, as those of a numeric program do after each step.
 *
 *	barriers THREADS SECONDS	print how often they met in a second
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static pthread_barrier_t barrier;
static atomic_bool over;
static bool ending;	/* changes only while the others wait */
static unsigned long met;

static void *meet(void *first)
{
	for (bool last = false; !last;) {
		if (first) {
			ending = over;
			met++;
		}
		pthread_barrier_wait(&barrier);
		last = ending;
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	int threads = argc == 3 ? atoi(argv[1]) : 0, seconds = argc == 3 ? atoi(argv[2]) : 0;
	pthread_t thread[64];
	double begun, took;

	if (threads < 2 || threads > 64 || seconds < 1) {
		fputs("usage: barriers THREADS SECONDS\n", stderr);
		return 2;
	}
	pthread_barrier_init(&barrier, NULL, threads);
	begun = now();
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, meet, i ? NULL : "")) {
			perror("pthread_create");
			return 1;
		}
	while (now() - begun < seconds)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	over = true;
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	took = now() - begun;
	printf("%.1f\n", 2 * met / took);
}
