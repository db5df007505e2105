package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxLog bounds a component's log; one older log of at most that size is kept
// beside it.
const maxLog = 16 << 20

// openLog begins a component's log: what an earlier run wrote becomes
// <path>.1, so that the last lines are always those of this run. The file is in
// append mode: the component writes to it without the lab in between, and goes
// on at the new end when the log is cut.
func openLog(path string) (*os.File, error) {
	if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keep the earlier log: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return file, nil
}

// boundLog copies a log that has outgrown limit to <path>.1 and cuts it. Lines
// written between the copy and the cut are lost: the price of components that
// outlive the supervisor and never wait for it.
func boundLog(path string, limit int64) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && info.Size() <= limit) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("bound log: %w", err)
	}
	if err := copyTail(path, path+".1", limit); err != nil {
		return fmt.Errorf("bound log: %w", err)
	}
	if err := os.Truncate(path, 0); err != nil {
		return fmt.Errorf("bound log: %w", err)
	}
	return nil
}

// copyTail copies the last limit bytes of a file.
func copyTail(from, to string, limit int64) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	size, err := in.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := in.Seek(max(0, size-limit), io.SeekStart); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// tail returns the last lines of a log, or nothing where there is none.
func tail(path string, lines int) []string {
	const window = 64 << 10
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	if _, err := file.Seek(max(0, size-window), io.SeekStart); err != nil {
		return nil
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return nil
	}
	if size > window { // the first line is likely cut
		_, content, _ = bytes.Cut(content, []byte("\n"))
	}
	text := strings.TrimRight(string(content), "\n")
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	return all[max(0, len(all)-lines):]
}
