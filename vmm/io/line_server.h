/* SPDX-License-Identifier: MIT */
#ifndef SIPI_IO_LINE_SERVER_H
#define SIPI_IO_LINE_SERVER_H

#include <stddef.h>

#include "io/loop.h"
#include "util/error.h"

/*
 * A Unix stream socket on which clients say lines and get a line for each, in order. Lines end with
 * "\n" ("\r\n" is taken as well). Nobody can hold the others up or make it grow: a line that is too long
 * or has bytes other than printable ASCII and tabs gets one error line, a client that does not read its replies is
 * not listened to until it does, and one beyond LINE_CLIENTS is told so and hung up on. What a client says
 * before it shuts down its side is answered, and carried out even if it is gone by then; half a line at its end
 * is not.
 */
#define LINE_MAX_LEN   256   /* bytes of a request, without its "\n" */
#define LINE_REPLY_MAX 16384 /* bytes of a reply, with its "\n" */
#define LINE_CLIENTS   16

struct line_server;

/*
 * The reply, a string without "\n", into reply[size]. In the loop, under its guard. The line is a string that
 * is not empty; empty lines get no reply.
 */
typedef void line_handler(void *ctx, const char *line, char *reply, size_t size);

/*
 * Binds path, for this user alone (0600). A socket that nobody listens on any more is replaced; anything else
 * that has the name is left as it is, and refused.
 */
struct line_server *line_server_open(struct loop *loop, const char *path, line_handler *handle,
				     void *ctx, struct error *err);
/* Writes out what is due and fits in the sockets' buffers, closes, and removes path. NULL: nothing. */
void line_server_close(struct line_server *s);

#endif
