/* Fills a picture of 16 by 16 pixels on the blitter, and reads it back.
 *
 *     cc -I guest-shim/c/include guest-shim/c/examples/fill.c -L target/release -lvgate_client -o fill
 *     LD_LIBRARY_PATH=target/release ./fill /run/vgate/desktop.sock
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgate_client.h"

enum { BATCH = 0x10000, PICTURE = 0x20000, PAGE = 0x1000, SIDE = 16, LINE = SIDE * 4 };

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, vgate_error_text(result));
        exit(1);
    }
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: %s SOCKET\n", arguments[0]);
        return 2;
    }
    vgate_client *client;
    check(vgate_connect(arguments[1], &client), arguments[1]);
    vgate_device_info device;
    check(vgate_device(client, &device), "device");
    printf("device %04x:%04x, %u engines\n", device.vendor, device.device, device.engines);

    uint16_t engine = 0;
    while (vgate_engine_class(client, engine) != VGATE_ENGINE_COPY) {
        if (++engine == device.engines) {
            fprintf(stderr, "there is no blitter\n");
            return 1;
        }
    }
    uint32_t space, context;
    check(vgate_open_space(client, &space), "space");
    check(vgate_open_context(client, space, engine, 0, &context), "context");
    check(vgate_bind(client, space, BATCH, BATCH, PAGE, VGATE_BIND_READ_ONLY), "bind");
    check(vgate_bind(client, space, PICTURE, PICTURE, PAGE, 0), "bind");

    char *arena = vgate_arena(client, NULL);
    if (!arena) {
        fprintf(stderr, "the arena can't be mapped\n");
        return 1;
    }
    /* XY_COLOR_BLT with 32 bits a pixel; MI_BATCH_BUFFER_END. */
    const uint32_t batch[] = { 0x54300005, 3u << 24 | 0xf0 << 16 | LINE, 0, SIDE << 16 | SIDE,
                               PICTURE, 0, 0x00c0ffee, 0x05000000 };
    memcpy(arena + BATCH, batch, sizeof batch);
    vgate_point end;
    check(vgate_submit(client, context, NULL, 0, BATCH, &end), "submit");
    check(vgate_wait(client, &end, 1, 10LL * 1000 * 1000 * 1000), "wait");

    uint64_t lost;
    check(vgate_lost(client, context, &lost), "lost");
    uint32_t pixels[SIDE * SIDE];
    memcpy(pixels, arena + PICTURE, sizeof pixels);
    unsigned filled = 0;
    for (unsigned n = 0; n < SIDE * SIDE; n++)
        filled += pixels[n] == 0x00c0ffee;
    printf("%u of %u pixels are filled, %llu batches were lost\n", filled, SIDE * SIDE, (unsigned long long)lost);
    vgate_disconnect(client);
    return filled == SIDE * SIDE && lost == 0 ? 0 : 1;
}
