package agent_test

import (
	"testing"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/leaktest"
)

// TestTroubleWithProfiles is the row of profiles in the matrix of TestTrouble. A
// process has one profiler, so nothing here is parallel.
func TestTroubleWithProfiles(t *testing.T) {
	for bad, f := range fates(catalog.Profiles) {
		for phase, first := range map[string]way{"at the start": bad, "at the shutdown": well} {
			if bad == wrongCert {
				first = wrongCert
			}
			t.Run(string(bad)+", "+phase, func(t *testing.T) {
				leaktest.Run(t, func() {
					s := newTroubledService(t, catalog.Profiles, first)
					s.serve(3)
					if first != bad {
						s.behave(bad)
					}
					s.serve(3)
					s.shutdown(f)
					got := s.account()
					if got.produced == 0 {
						t.Error("there were no profiles")
					}
					if want := lost(f, got.produced); got != want {
						t.Errorf("the account is %+v, want %+v", got, want)
					}
					s.checkStates(map[fate]int{fails: 1}[f], 0)
				})
			})
		}
	}
}

// TestTroubleWithProfilesUnderLoad takes one session through everything that a
// backend may do, one after the other, with profiles of one second.
func TestTroubleWithProfilesUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a second for each trouble")
	}
	leaktest.Run(t, func() {
		s := newTroubledService(t, catalog.Profiles, well)
		for bad, f := range fates(catalog.Profiles) {
			if bad == wrongCert { // over TLS it has nothing else
				continue
			}
			s.behave(bad)
			s.serve(3)
			before := s.account()
			leaktest.Eventually(t, string(bad)+": "+string(f), func() bool {
				now := s.account()
				switch f {
				case fails:
					return now.failed > before.failed
				case waits:
					return now.queued > 0
				}
				return now.sent > before.sent
			})
		}
		s.behave(well)
		before := s.account()
		leaktest.Eventually(t, "it is well again", func() bool { return s.account().sent > before.sent })
		s.shutdown(arrives)
		if got := s.account(); got.full+got.ended != 0 || got.failed == 0 {
			t.Errorf("the account is %+v, want failures and no other losses", got)
		}
		down, up := s.states()
		if down < 1 || up != down {
			t.Errorf("%d lines say that it fails and %d that it is well again: %q", down, up, s.out.lines())
		}
	})
}
