/* SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * vgate's client library: a GPU for a process, over a socket of `vgate run` ([[shim]] in its configuration).
 *
 *     vgate_connect -> the device, and an arena of memory for buffers
 *     vgate_bind       a part of the arena at an address of a space
 *     vgate_submit     a batch in a context -> a point, reached when the batch is over
 *     vgate_wait       for points
 *
 * All functions may be called from any thread. Those that return `int` return 0, or a negative VGATE_E...; nothing is
 * written through pointers then. Addresses, offsets and lengths are in bytes; those of vgate_bind and vgate_unbind are
 * multiples of 4096.
 */
#ifndef VGATE_CLIENT_H
#define VGATE_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    VGATE_OK = 0,
    VGATE_EARGUMENT = -1, /* a null pointer, or a path that is none */
    VGATE_ECONNECT = -2,  /* nobody serves clients at that socket, or one of another version does */
    VGATE_EGONE = -3,     /* the mediator is gone, or has hung up: nothing works any more */
    VGATE_ENAME = -4,     /* no such space or context, or no more can be named */
    VGATE_ERANGE = -5,    /* nothing is there, or it is not aligned; no such engine */
    VGATE_EQUOTA = -6,    /* the client has as much of it as it may */
    VGATE_EREFUSED = -7,  /* the mediator refuses */
    VGATE_ETIME = -8      /* not reached in time */
};

typedef struct vgate_client vgate_client;

/* Reached when the fence has at least this value; then for ever. */
typedef struct {
    uint32_t fence;
    uint64_t value;
} vgate_point;

/* What a driver finds in PCI configuration space, and what buffers can't tell it. */
typedef struct {
    uint16_t vendor;
    uint16_t device;
    uint8_t revision;
    uint8_t address_bits;   /* of an address in a space */
    uint16_t engines;       /* how many there are */
    uint64_t timestamp_hz;
} vgate_device_info;

enum { VGATE_ENGINE_RENDER = 0, VGATE_ENGINE_COPY = 1, VGATE_ENGINE_VIDEO = 2, VGATE_ENGINE_VIDEO_ENHANCE = 3 };
enum { VGATE_BIND_READ_ONLY = 1 };

/* Connects to a socket. */
int vgate_connect(const char *socket, vgate_client **client);
/* Ends the connection, and with it all that the client has. The arena must not be touched any more. */
void vgate_disconnect(vgate_client *client);
/* In words, for people. */
const char *vgate_error_text(int error);

int vgate_device(const vgate_client *client, vgate_device_info *info);
/* What engine number `engine` is for (VGATE_ENGINE_...), or VGATE_ERANGE. */
int vgate_engine_class(const vgate_client *client, uint16_t engine);
/* The arena, mapped: zeros at first. The same each time. Null when the host has no address space left. */
void *vgate_arena(vgate_client *client, size_t *bytes);

int vgate_open_space(vgate_client *client, uint32_t *space);
int vgate_close_space(vgate_client *client, uint32_t space);
/* Shows a part of the arena at an address, for batches submitted from now on. A range that makes no sense is refused
 * later: vgate_refusals counts it. */
int vgate_bind(vgate_client *client, uint32_t space, uint64_t address, uint64_t offset, uint64_t bytes, unsigned flags);
int vgate_unbind(vgate_client *client, uint32_t space, uint64_t address, uint64_t bytes);
uint64_t vgate_refusals(const vgate_client *client);

/* More priority is sooner, among this client's contexts. */
int vgate_open_context(vgate_client *client, uint32_t space, uint16_t engine, int16_t priority, uint32_t *context);
int vgate_close_context(vgate_client *client, uint32_t context);

/* Runs the batch at `start` when all earlier ones of the context are over and `waits` are reached. Never waits itself. */
int vgate_submit(vgate_client *client, uint32_t context, const vgate_point *waits, size_t count, uint64_t start,
                 vgate_point *end);
/* 1 if it is reached, 0 if not. */
int vgate_reached(const vgate_client *client, vgate_point point);
/* Waits for all points, at most so many nanoseconds; for ever with a negative number. */
int vgate_wait(vgate_client *client, const vgate_point *points, size_t count, int64_t nanoseconds);
/* How many of a context's batches were lost: refused by the audit, faulted, or cut off. Their points are reached, too. */
int vgate_lost(vgate_client *client, uint32_t context, uint64_t *lost);

#ifdef __cplusplus
}
#endif

#endif
