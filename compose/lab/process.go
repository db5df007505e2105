package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is one started component. ended is closed after it was waited for;
// only then may exit be read.
type process struct {
	identity
	ended chan struct{}
	exit  string // "exit status 1", "signal: killed"
	ok    bool   // exit status 0
}

// launch starts a spec in a process group of its own, with its output appended
// to a fresh log. A goroutine waits for the process and ends with it.
func launch(s spec, logPath string) (*process, error) {
	log, err := openLog(logPath)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	defer func() { _ = log.Close() }() // the component has its own copy
	cmd := exec.Cmd{Path: s.Args[0], Args: s.Args, Env: s.Env, Dir: s.Dir, Stdout: log, Stderr: log}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.User != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: s.User.UID, Gid: s.User.GID}
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	p := &process{ended: make(chan struct{})}
	// Its entry in /proc stays until Wait, even if it has ended already.
	if p.identity, err = identify(cmd.Process.Pid); err != nil {
		err = errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	go p.wait(&cmd)
	return p, nil
}

// wait reaps the process and says how it ended.
func (p *process) wait(cmd *exec.Cmd) {
	defer close(p.ended)
	err := cmd.Wait()
	p.ok = err == nil
	p.exit = "exit status 0"
	if err != nil {
		p.exit = err.Error()
	}
}

// gone reports whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop asks the process to end, and kills its whole group after the grace
// period. It returns when the process is gone, with true if it had to be killed.
func (p *process) stop(sig syscall.Signal, grace time.Duration) (killed bool) {
	if p.gone() {
		return false
	}
	if sig == 0 {
		sig = syscall.SIGTERM
	}
	_ = p.signal(sig) // what it could not stop, the kill below does
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
		return false
	case <-timer.C:
	}
	_ = p.signal(syscall.SIGKILL)
	<-p.ended
	return true
}

// stopStranger does the same for a process that this program did not start:
// what a supervisor that died has left behind. It never touches a process that
// merely has the same pid.
func stopStranger(id identity, sig syscall.Signal, grace time.Duration) error {
	if sig == 0 {
		sig = syscall.SIGTERM
	}
	if err := id.signal(sig); err != nil {
		return err
	}
	if waitGone(id, grace) {
		return nil
	}
	if err := id.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !waitGone(id, grace) {
		return fmt.Errorf("process %d (%s) does not end, not even by KILL: look at it with ps", id.PID, commandName(id.PID))
	}
	return nil
}

// pollEvery is how often the lab looks again at what it cannot be told of.
const pollEvery = 100 * time.Millisecond

// waitGone waits until a process that is not a child has ended, and reports
// whether it has within limit.
func waitGone(id identity, limit time.Duration) bool {
	ticker := time.NewTicker(pollEvery / 4)
	defer ticker.Stop()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for id.alive() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			return !id.alive()
		}
	}
	return true
}

// lockDir takes the lock that makes a home, or a cache, belong to one lab. The
// lock is the directory itself, so that no lock file is left, and lives as long
// as any process holds the returned file open. busy is true where another does.
func lockDir(path string) (lock *os.File, busy bool, err error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("lock %s: %w", path, err)
	}
	err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return dir, false, nil
	}
	_ = dir.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, true, nil
	}
	return nil, false, fmt.Errorf("lock %s: %w", path, err)
}
