/* Says what Mesa's disassembler says of programs for Gen9. On standard input: the length of a program in bytes (32 bits,
 * little endian), the program, and so on. On standard output: each program's text, with a line "END" behind it. */
#include <stdint.h>
#include <stdio.h>

#include "brw_disasm.h"
#include "brw_isa_info.h"
#include "dev/intel_device_info.h"

/* Instructions of 16 bytes are read where one of 8 ends the program, too. */
static uint8_t program[(1 << 20) + 16];

int main(void)
{
    const struct intel_device_info gen9 = {
        .ver = 9, .verx10 = 90, .has_64bit_int = true, .has_64bit_float = true,
    };
    struct brw_isa_info isa;
    uint32_t length;

    brw_init_isa_info(&isa, &gen9);
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        if (length == 0 || length > 1 << 20 || fread(program, length, 1, stdin) != 1)
            return 1;
        brw_disassemble_with_labels(&isa, program, 0, (int)length, stdout);
        puts("END");
    }
    return 0;
}
