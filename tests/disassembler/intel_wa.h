/* In place of Mesa's workarounds, which its build generates: a disassembler needs none. */
