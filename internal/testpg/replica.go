package testpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Replica starts a server that streams from s and replays what it receives. Its
// name is its cluster_name, under which s lists it. Where slot is not empty, s
// gets a replication slot of that name, which it streams from. The caller ends
// it with [Server.Stop].
func (s *Server) Replica(name, slot string, settings ...string) (*Server, error) {
	r, err := prepare(append([]string{"cluster_name=" + name, "wal_receiver_status_interval=1s"}, settings...))
	if err != nil {
		return nil, err
	}
	if err := r.follow(s, name, slot); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	return r, nil
}

// Follow makes a server that has crashed a replica of another one, from a new
// copy of that one's data.
func (s *Server) Follow(primary *Server, name string) error {
	if err := os.RemoveAll(s.data()); err != nil {
		return fmt.Errorf("remove the old data: %w", err)
	}
	if err := s.makeData(); err != nil {
		return err
	}
	return s.follow(primary, name, "")
}

func (s *Server) follow(primary *Server, name, slot string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	args := []string{
		"-D", s.data(), "-R", "--wal-method=stream", "--checkpoint=fast", "--no-sync",
		"-d", fmt.Sprintf("host=127.0.0.1 port=%s user=postgres", primary.port),
	}
	if slot != "" {
		args = append(args, "--create-slot", "--slot="+slot)
	}
	if err := s.run(ctx, "pg_basebackup", args...); err != nil {
		return fmt.Errorf("copy the primary for %s: %w", name, err)
	}
	if slot == "" {
		if err := s.forgetSlot(); err != nil {
			return err
		}
	}
	return s.serve(ctx)
}

// forgetSlot overrules the slot that the copied server streamed from when it was
// a replica itself.
func (s *Server) forgetSlot() error {
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("configure the replica: %w", err)
	}
	_, err = conf.WriteString("primary_slot_name = ''\n")
	if err := errors.Join(err, conf.Close()); err != nil {
		return fmt.Errorf("configure the replica: %w", err)
	}
	return nil
}

// ConnInfo is how a replica connects to s: a value of primary_conninfo.
func (s *Server) ConnInfo() string {
	return fmt.Sprintf("host=127.0.0.1 port=%s user=postgres", s.port)
}
