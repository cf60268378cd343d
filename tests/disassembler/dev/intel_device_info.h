/* In place of Mesa's description of all GPUs, which its build generates: what its disassembler asks about one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

struct intel_device_info {
    int ver, verx10;
    bool has_64bit_int, has_64bit_float, has_64bit_float_via_math_pipe, has_lsc, has_ray_tracing;
};
