// Package claudecode changes the configuration files of Claude Code: which MCP
// servers it starts, and which commands it runs as hooks.
//
//	~/.claude.json            mcpServers; projects.DIR.mcpServers
//	DIR/.mcp.json             mcpServers, shared with the project
//	~/.claude/settings.json   hooks
//
// CLAUDE_CONFIG_DIR moves the first and the last.
//
// The files belong to somebody else, and some are large and busy. So a change
// is an edit of the text, which leaves every byte outside of our own entries as
// it was: order, numbers, indentation. A file that is not JSON of the expected
// shape is refused, not repaired. What was there before a change stays beside
// it under the name with .before-claudemesh.
package claudecode
