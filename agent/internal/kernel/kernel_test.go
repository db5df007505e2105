package kernel_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cacheu/plumbline/agent/internal/kernel"
)

// machine reads a file of testdata: a comment, and then files one after the
// other, each under a line with its name. The one called "want" is what is to
// be read from the others.
func machine(tb testing.TB, text string) (root fstest.MapFS, want kernel.State) {
	tb.Helper()
	root = fstest.MapFS{}
	name, content := "", ""
	end := func() {
		if name == "want" {
			if err := json.Unmarshal([]byte(content), &want); err != nil {
				tb.Fatal(err)
			}
		} else if name != "" {
			root[name] = &fstest.MapFile{Data: []byte(content)}
		}
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(rest, " --\n") {
			end()
			name, content = strings.TrimSuffix(rest, " --\n"), ""
			continue
		}
		content += line
	}
	end()
	return root, want
}

func TestReadOfMachinesOfEveryKind(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(cases) < 9 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			root, want := machine(t, string(text))
			if got := kernel.Read(root); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestFilesAreCountedWhereTheFolderHasNoSize(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{}
	for _, fd := range []string{"0", "1", "2", "7", "9"} { // the last is the one that reads
		root["proc/self/fd/"+fd] = &fstest.MapFile{Mode: fs.ModeSymlink}
	}
	if got := kernel.Read(root).Files; got != 4 {
		t.Errorf("%d open files, want 4", got)
	}
}

// TestThisMachine compares with what the process can see of itself by other
// means, and is the only test that depends on the machine.
func TestThisMachine(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system has no /proc")
	}
	before := kernel.Read(os.DirFS("/"))
	var opened []*os.File
	for range 50 {
		f, err := os.Open("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		opened = append(opened, f)
	}
	after := kernel.Read(os.DirFS("/"))
	for _, f := range opened {
		f.Close()
	}
	// Other tests run beside this one and open a file now and then.
	if more := int(after.Files) - int(before.Files); more < 40 || more > 60 {
		t.Errorf("50 more files are open, and %d are seen", more)
	}
	if after.Cores < 1 || after.Resident < 1<<20 || after.MachineMemory < after.Resident || after.MaxFiles < after.Files {
		t.Errorf("impossible: %+v", after)
	}
}

// FuzzRead puts the same text into every file, and expects numbers that are
// possible or none.
func FuzzRead(f *testing.F) {
	cases, _ := filepath.Glob("testdata/*.txt")
	for _, file := range cases {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		root, _ := machine(f, string(text))
		mounts := ""
		if file := root["proc/self/mountinfo"]; file != nil {
			mounts = string(file.Data)
		}
		for _, content := range root {
			f.Add(string(content.Data), mounts)
		}
	}
	f.Fuzz(func(t *testing.T, text, mounts string) {
		root := fstest.MapFS{}
		for _, name := range []string{
			"proc/self/cgroup", "proc/self/status", "proc/self/limits", "proc/meminfo", "proc/pressure/cpu", "proc/pressure/io",
			"sys/fs/cgroup/cpu.max", "sys/fs/cgroup/cpu.stat", "sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current",
			"sys/fs/cgroup/memory.stat", "sys/fs/cgroup/cpu.pressure", "sys/fs/cgroup/cpu.cfs_quota_us",
			"sys/fs/cgroup/cpu.cfs_period_us", "sys/fs/cgroup/memory.limit_in_bytes", "sys/fs/cgroup/memory.usage_in_bytes",
		} {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		root["proc/self/mountinfo"] = &fstest.MapFile{Data: []byte(mounts)}
		s := kernel.Read(root)
		for _, c := range s.CPU {
			if !(c.Cores > 0) || c.Used < 0 {
				t.Errorf("impossible: %+v", c)
			}
		}
		for _, m := range s.Memory {
			if m.Limit == 0 {
				t.Errorf("impossible: %+v", m)
			}
		}
		for r, d := range s.Stalled {
			if d < 0 {
				t.Errorf("%s stalled for %s", r, d)
			}
		}
		if s.Cores < 0 {
			t.Errorf("%d cores", s.Cores)
		}
	})
}
