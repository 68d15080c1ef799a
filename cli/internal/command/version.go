package command

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return a.version() },
	}
}

type versionAnswer struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Dirty   bool   `json:"dirty,omitempty"` // built from more than the commit
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// thisVersion is what the build says about itself. A release is told its name,
// everything else has the module's.
func thisVersion(told string) versionAnswer {
	v := versionAnswer{Version: cmp.Or(told, "unknown"), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = cmp.Or(told, info.Main.Version, "unknown")
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Dirty = s.Value == "true"
		}
	}
	return v
}

func (a *app) version() error {
	v := thisVersion(a.env.Version)
	if a.out.JSON {
		return a.out.Answer(v)
	}
	return a.out.Line("claudemesh", v.Version, v.Go, v.OS+"/"+v.Arch)
}
