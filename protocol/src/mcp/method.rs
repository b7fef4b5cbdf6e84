//! Methods, and which of them name something that can be allowed or denied.

/// A method that is treated in some way of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// `initialize` (legacy).
    Initialize,
    /// `tools/list`
    ToolsList,
    /// `tools/call`
    ToolsCall,
    /// `prompts/get`
    PromptsGet,
    /// `resources/read`
    ResourcesRead,
    /// `tasks/get`, `tasks/update`, `tasks/cancel`
    Task,
    /// `tasks/result` (2025-11-25).
    TaskResult,
    /// Every other one: passes as it is.
    Other,
}

impl Method {
    /// Reads a method; names are case-sensitive.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "initialize" => Self::Initialize,
            "tools/list" => Self::ToolsList,
            "tools/call" => Self::ToolsCall,
            "prompts/get" => Self::PromptsGet,
            "resources/read" => Self::ResourcesRead,
            "tasks/get" | "tasks/update" | "tasks/cancel" => Self::Task,
            "tasks/result" => Self::TaskResult,
            _ => Self::Other,
        }
    }

    /// The member of `params` that names what the method is about.
    #[must_use]
    pub const fn target(self) -> Option<&'static str> {
        match self {
            Self::ToolsCall | Self::PromptsGet => Some("name"),
            Self::ResourcesRead => Some("uri"),
            Self::Task | Self::TaskResult => Some("taskId"),
            Self::Initialize | Self::ToolsList | Self::Other => None,
        }
    }

    /// Whether `Mcp-Name` mirrors that member: the revision that has the header has no `tasks/result` any more, and what
    /// is gone is the server's to answer.
    #[must_use]
    pub const fn is_mirrored(self) -> bool {
        self.target().is_some() && !matches!(self, Self::TaskResult)
    }

    /// The members of `params` that a decision depends on: nobody may read them in two ways.
    pub(super) fn deciding(self) -> impl Iterator<Item = &'static str> {
        let arguments = (self == Self::ToolsCall).then_some("arguments");
        [Some("_meta"), self.target(), arguments].into_iter().flatten()
    }
}
