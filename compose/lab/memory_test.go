package lab

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

func TestMemoryOfAProcess(t *testing.T) {
	t.Parallel()
	got := parseMemory([]byte("Name:\tpostgres\nVmHWM:\t  9000 kB\nVmRSS:\t  3584 kB\n" +
		"RssAnon:\t  1024 kB\nRssFile:\t  2048 kB\nRssShmem:\t   512 kB\nThreads:\t1\n"))
	if want := (memory{anonymous: 1 << 20, file: 2 << 20, shared: 512 << 10}); got != want {
		t.Errorf("memory %+v, want %+v", got, want)
	}
	if got.resident() != 3584<<10 {
		t.Errorf("%d bytes resident, want VmRSS", got.resident())
	}
	tree := got.join(memory{anonymous: 1, file: 3 << 20, shared: 5, cached: 1 << 20})
	if want := (memory{anonymous: 1<<20 + 1, file: 3 << 20, shared: 512 << 10, cached: 1 << 20}); tree != want {
		t.Errorf("with a child %+v, want %+v", tree, want)
	}
	if want := uint64(3<<20 + 512<<10 + 1); tree.resident() != want {
		t.Errorf("%d bytes resident without the cache, want %d", tree.resident(), want)
	}
	if got := parseMemory([]byte("Name:\tkthreadd\n")); got != (memory{}) {
		t.Errorf("a kernel thread has %+v", got)
	}
}

func TestMappedDataFiles(t *testing.T) {
	t.Parallel()
	const smaps = `00400000-00600000 r-xp 00000000 fe:00 11 /cache/bin/jaeger
Size:               2048 kB
Rss:                 700 kB
VmFlags: rd ex mr mw me
7f0000000000-7f0000200000 rw-s 00000000 fe:00 12 /home/data/jaeger/keys/1 (deleted)
Rss:                 100 kB
Pss:                 100 kB
7f0000200000-7f0000400000 rw-s 00000000 fe:00 13 /home/data/jaeger/keys/2.sst
Rss:                  20 kB
7f0000400000-7f0000600000 rw-s 00000000 fe:00 14 /home/database/other
Rss:                   3 kB
7f0000600000-7f0000800000 rw-p 00000000 00:00 0
Rss:                   5 kB
`
	if got := parseMapped([]byte(smaps), "/home/data"); got != 120<<10 {
		t.Errorf("%d bytes of data are mapped, want %d", got, 120<<10)
	}
}

func TestMappedFileOfThisProcessIsCacheAndNotResident(t *testing.T) {
	t.Parallel()
	const size = 2 * worthMapping
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "table"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	mapped, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(mapped) }()
	for i := 0; i < size; i += os.Getpagesize() {
		mapped[i] = 1
	}
	if got := readMemory(os.Getpid(), dir).cached; got != size {
		t.Errorf("%d bytes are cache, want %d", got, size)
	}
	if got := readMemory(os.Getpid(), t.TempDir()).cached; got != 0 {
		t.Errorf("%d bytes of another directory are cache", got)
	}
}

func TestMemoryOfATreeHoldsTheChildren(t *testing.T) {
	t.Parallel()
	child, err := launch(helperSpec(t, "child", "serve"), t.TempDir()+"/log")
	if err != nil {
		t.Fatal(err)
	}
	defer child.stop(syscall.SIGKILL, 0)
	until(t, "the child has memory", func() bool { return readMemory(child.PID, "/").anonymous > 1<<20 })
	self := os.Getpid()
	if children := childrenByParent()[self]; !slices.Contains(children, child.PID) {
		t.Errorf("children of this process are %v, without %d", children, child.PID)
	}
	tree := treeMemory(-1, map[int][]int{-1: {child.PID, self}}, "/none")
	if least := readMemory(child.PID, "/none").anonymous; tree.anonymous <= least {
		t.Errorf("the tree has %d bytes of its own, one child alone %d", tree.anonymous, least)
	}
}
