//! Gen9's instructions by number. Source: SKL PRM vol 7, "EU opcode encoding"; the counts are those of operands that
//! are encoded as such (branches, SEND and WAIT have forms of their own).

/// The form of an instruction: what its bits mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// No operands at all.
    Bare,
    /// A destination and one source or two.
    Regular,
    /// A destination and three sources.
    Ternary,
    /// JIP, relative to the instruction itself.
    Jip,
    /// JIP and UIP.
    JipUip,
    /// JMPI: relative to the next instruction.
    Jump,
    /// SEND and SENDC.
    Send,
    /// SENDS and SENDSC.
    SplitSend,
    /// WAIT.
    Wait,
    /// Known to the hardware; nothing that was looked at uses it, so that only its name is known here.
    Named,
}

macro_rules! opcodes {
    ($($number:literal $name:literal $variant:ident $form:ident $sources:literal;)*) => {
        /// What an instruction does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "they are named as the manuals name them")]
        #[repr(u8)]
        pub enum Opcode { $($variant = $number,)* }

        impl Opcode {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The instruction with this number.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Its name in assembly.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its form.
            #[must_use]
            pub const fn form(self) -> Form {
                match self { $(Self::$variant => Form::$form,)* }
            }

            /// How many sources it has.
            #[must_use]
            pub const fn sources(self) -> usize {
                match self { $(Self::$variant => $sources,)* }
            }
        }
    };
}

opcodes! {
    0x01 "mov" Mov Regular 1;
    0x02 "sel" Sel Regular 2;
    0x03 "movi" Movi Regular 2;
    0x04 "not" Not Regular 1;
    0x05 "and" And Regular 2;
    0x06 "or" Or Regular 2;
    0x07 "xor" Xor Regular 2;
    0x08 "shr" Shr Regular 2;
    0x09 "shl" Shl Regular 2;
    0x0a "smov" Smov Named 0;
    0x0c "asr" Asr Regular 2;
    0x10 "cmp" Cmp Regular 2;
    0x11 "cmpn" Cmpn Regular 2;
    0x12 "csel" Csel Ternary 3;
    0x17 "bfrev" Bfrev Regular 1;
    0x18 "bfe" Bfe Ternary 3;
    0x19 "bfi1" Bfi1 Regular 2;
    0x1a "bfi2" Bfi2 Ternary 3;
    0x20 "jmpi" Jmpi Jump 0;
    0x21 "brd" Brd Named 0;
    0x22 "if" If JipUip 0;
    0x23 "brc" Brc Named 0;
    0x24 "else" Else JipUip 0;
    0x25 "endif" Endif Jip 0;
    0x27 "while" While Jip 0;
    0x28 "break" Break JipUip 0;
    0x29 "cont" Cont JipUip 0;
    0x2a "halt" Halt JipUip 0;
    0x2b "calla" Calla Named 0;
    0x2c "call" Call Named 0;
    0x2d "ret" Ret Named 0;
    0x2e "goto" Goto Named 0;
    0x2f "join" Join Named 0;
    0x30 "wait" Wait Wait 0;
    0x31 "send" Send Send 1;
    0x32 "sendc" Sendc Send 1;
    0x33 "sends" Sends SplitSend 2;
    0x34 "sendsc" Sendsc SplitSend 2;
    0x38 "math" Math Regular 2;
    0x40 "add" Add Regular 2;
    0x41 "mul" Mul Regular 2;
    0x42 "avg" Avg Regular 2;
    0x43 "frc" Frc Regular 1;
    0x44 "rndu" Rndu Regular 1;
    0x45 "rndd" Rndd Regular 1;
    0x46 "rnde" Rnde Regular 1;
    0x47 "rndz" Rndz Regular 1;
    0x48 "mac" Mac Regular 2;
    0x49 "mach" Mach Regular 2;
    0x4a "lzd" Lzd Regular 1;
    0x4b "fbh" Fbh Regular 1;
    0x4c "fbl" Fbl Regular 1;
    0x4d "cbit" Cbit Regular 1;
    0x4e "addc" Addc Regular 2;
    0x4f "subb" Subb Regular 2;
    0x50 "sad2" Sad2 Named 0;
    0x51 "sada2" Sada2 Named 0;
    0x54 "dp4" Dp4 Regular 2;
    0x55 "dph" Dph Regular 2;
    0x56 "dp3" Dp3 Regular 2;
    0x57 "dp2" Dp2 Regular 2;
    0x59 "line" Line Regular 2;
    0x5a "pln" Pln Regular 2;
    0x5b "mad" Mad Ternary 3;
    0x5c "lrp" Lrp Ternary 3;
    0x5d "madm" Madm Named 0;
    0x7e "nop" Nop Bare 0;
}

impl Opcode {
    /// Whether a source's minus means "the other bits": the logic instructions.
    #[must_use]
    pub const fn is_logic(self) -> bool {
        matches!(self, Self::Not | Self::And | Self::Or | Self::Xor)
    }

    /// Whether bit 28 is BranchCtrl.
    #[must_use]
    pub const fn has_branch_control(self) -> bool {
        matches!(self.form(), Form::Jip | Form::JipUip | Form::Jump)
            || matches!(
                self,
                Self::Brd | Self::Brc | Self::Call | Self::Calla | Self::Ret | Self::Goto
            )
    }

    /// Whether bits 27:24 name a shared function.
    #[must_use]
    pub const fn is_send(self) -> bool {
        matches!(self.form(), Form::Send | Form::SplitSend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back() {
        for &opcode in Opcode::ALL {
            assert_eq!(Opcode::from_number(opcode as u8), Some(opcode));
        }
        assert_eq!(Opcode::from_number(0), None, "zeros are no instruction");
        assert_eq!(Opcode::from_number(0x26), None, "DO is no instruction of Gen9");
    }
}
