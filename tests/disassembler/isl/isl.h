/* In place of Mesa's surface layouts: a disassembler needs none. */
