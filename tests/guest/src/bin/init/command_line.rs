//! The kernel's command line, as a list of `key=value`.

/// `vgate.*` keys are this program's, `MODULE.PARAMETER` those of the modules it loads.
#[derive(Debug, Default)]
pub(crate) struct CommandLine(Vec<(String, String)>);

impl CommandLine {
    /// Splits as the kernel does: at blanks, with double quotes around a value (or the whole word) that holds some.
    pub(crate) fn parse(text: &str) -> Self {
        let mut pairs = Vec::new();
        let mut word = String::new();
        let mut quoted = false;
        // A blank after the end, so that the last word ends too.
        for c in text.chars().chain(['\n']) {
            match c {
                '"' => quoted = !quoted,
                c if !c.is_whitespace() || quoted => word.push(c),
                _ if word.is_empty() => {}
                _ => {
                    let (key, value) = word.split_once('=').unwrap_or((&word, ""));
                    pairs.push((key.to_owned(), value.to_owned()));
                    word.clear();
                }
            }
        }
        Self(pairs)
    }

    /// The last value given for a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// The guest's name, in all that it reports and shows.
    pub(crate) fn name(&self) -> &str {
        self.get("vgate.name").unwrap_or("guest")
    }

    /// The steps to run, in order.
    pub(crate) fn steps(&self) -> Vec<&str> {
        let steps = self.get("vgate.steps").unwrap_or_default();
        steps.split(',').filter(|step| !step.is_empty()).collect()
    }

    /// What to hand to the kernel with a module: `PARAMETER=VALUE ...`. Like the kernel, takes `-` and `_` for the same.
    pub(crate) fn module_parameters(&self, module: &str) -> String {
        let plain = |name: &str| name.replace('-', "_");
        let of_module = |(key, value): &(String, String)| {
            let (name, parameter) = key.split_once('.')?;
            (plain(name) == plain(module)).then(|| format!("{parameter}={value}"))
        };
        self.0.iter().filter_map(of_module).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::CommandLine;

    #[test]
    fn quotes_hold_a_value_together() {
        let line = CommandLine::parse("quiet vgate.name=\"a b\" \"vgate.steps=x y,z\" n=1 n=2\n");
        assert_eq!(line.name(), "a b");
        assert_eq!(line.steps(), ["x y", "z"]);
        assert_eq!(line.get("n"), Some("2"));
        assert_eq!(line.get("quiet"), Some(""));
    }

    #[test]
    fn module_parameters_are_those_of_the_module() {
        let line = CommandLine::parse("i915.dmc_firmware_path=\"\" drm.debug=6 i915.enable_psr=0");
        assert_eq!(line.module_parameters("i915"), "dmc_firmware_path= enable_psr=0");
        assert_eq!(line.module_parameters("ttm"), "");
        let line = CommandLine::parse("drm_kms_helper.poll=0");
        assert_eq!(line.module_parameters("drm-kms-helper"), "poll=0");
    }

    #[test]
    fn nothing_asked_is_nothing_done() {
        assert!(CommandLine::parse("").steps().is_empty());
        assert!(CommandLine::parse("vgate.steps=").steps().is_empty());
    }
}
