//! How steps are called in progress and errors.

use zoea_model::{Platform, Stage, StepName};

/// What the names of steps say of platforms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepNaming {
    /// Nothing: one image is built.
    Plain,
    /// What the stage is for, and what the image is for where that is another: `linux/amd64->arm64`.
    For(Platform),
}

impl StepNaming {
    /// Names the step at `index` of `stage`.
    pub(crate) fn name(&self, stage: &Stage, index: usize) -> StepName {
        StepName {
            platform: match self {
                Self::Plain => None,
                Self::For(target) => Some(format!("{}{}", stage.platform, arrow(&stage.platform, target))),
            },
            stage: stage.name.clone(),
            number: index + 1,
            total: stage.steps.len(),
            text: stage.steps.get(index).map(|step| step.text.clone()).unwrap_or_default(),
        }
    }
}

/// Writes what is built for, where a stage is for another architecture or system; in BuildKit's form.
fn arrow(stage: &Platform, target: &Platform) -> String {
    if stage.os != target.os {
        return format!("->{target}");
    }
    if stage.architecture == target.architecture {
        return String::new();
    }
    let variant = target.variant.as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
    format!("->{}{variant}", target.architecture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_builds_are_told() {
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        for (stage, target, expected) in [
            ("linux/amd64", "linux/amd64", ""),
            ("linux/amd64", "linux/arm64", "->arm64"),
            ("linux/amd64", "linux/arm/v7", "->arm/v7"),
            ("linux/arm/v7", "linux/arm/v6", ""),
            ("linux/amd64", "wasi/wasm", "->wasi/wasm"),
        ] {
            assert_eq!(arrow(&platform(stage), &platform(target)), expected);
        }
    }
}
