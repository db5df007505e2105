package stage

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/sampleapp/internal/pricing"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// The processor time of one request of the example and its shares. What is
// left of it, a fifth, makes the receipt.
const (
	requestWork     = 5 * time.Millisecond
	paymentShare    = 0.40
	taxShare        = 0.30
	validationShare = 0.10
	receiptShare    = 0.20
)

// merchantSecret is what payments are signed with, and the salt of its key.
const merchantSecret, merchantSalt = "merchant-secret", "plumbline"

// till handles payments. It is calibrated when it is set up: each function
// repeats its work as often as gives it the example's share on this machine.
type till struct {
	keyRounds                 int // of the key derivation
	taxRuns, checks, receipts int
	cached                    bool
	once                      sync.Once
	requests, derivations     atomic.Int64
	key                       []byte
	card                      *regexp.Regexp
}

// cpuProfile takes payments: with the signing key derived for each, or once.
func cpuProfile(_ context.Context, env Env, variant, part string) (*Set, error) {
	if part != Main {
		return nil, unknownPart(part)
	}
	t := newTill(variant != scenario.Before)
	engine := env.engine()
	engine.GET("/api/payments/:id", env.handle(func(c *gin.Context) error {
		id, err := web.OptionalID("id", c.Param("id"), 0)
		if err != nil {
			return err
		}
		receipt, err := t.handleRequest(id)
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, receipt)
		return nil
	}))
	return &Set{Handler: engine, Facts: func(context.Context) (map[string]float64, error) {
		return map[string]float64{factDerivations: float64(t.derivations.Load()) / max(1, float64(t.requests.Load()))}, nil
	}}, nil
}

// factDerivations is a fact of the scenario cpu-profile.
const factDerivations = "key_derivations_per_request"

// newTill measures one run of each kind of work and chooses how many of them
// make up its share.
func newTill(cached bool) *till {
	t := &till{keyRounds: 2000, taxRuns: 1, checks: 1, receipts: 1, cached: cached, card: regexp.MustCompile(`^(?:\d{4}[- ]?){3}\d{4}$`)}
	t.keyRounds = scaled(t.keyRounds, paymentShare, func() { t.deriveKey() })
	t.taxRuns = scaled(20, taxShare, func() { _, _ = t.tax(20) })
	t.checks = scaled(20, validationShare, func() { _ = t.check("4111-1111-1111-1111", 20) })
	t.receipts = scaled(20, receiptShare, func() { t.receipt(1, 20) })
	return t
}

// scaled returns how many units take the share of a request's work, if run does
// `units` of them. The fastest of several runs counts: the others were
// disturbed.
func scaled(units int, share float64, run func()) int {
	fastest := time.Hour
	for range 30 {
		begin := time.Now()
		run()
		fastest = min(fastest, time.Since(begin))
	}
	return max(1, int(float64(units)*share*float64(requestWork)/float64(fastest)))
}

type receipt struct {
	ID        int64  `json:"id"`
	Tax       int64  `json:"tax_cents"`
	Signature string `json:"signature"`
	Receipt   string `json:"receipt"`
}

// handleRequest is the root of the flame graph.
//
//go:noinline
func (t *till) handleRequest(id int64) (receipt, error) {
	if err := t.validateInput("4111-1111-1111-1111"); err != nil {
		return receipt{}, err
	}
	tax, err := t.calculateTax()
	if err != nil {
		return receipt{}, err
	}
	signature := t.processPayment(id, tax)
	return receipt{id, tax, signature, t.receipt(id, t.receipts)}, nil
}

//go:noinline
func (t *till) validateInput(card string) error { return t.check(card, t.checks) }

//go:noinline
func (t *till) calculateTax() (int64, error) { return t.tax(t.taxRuns) }

// processPayment signs the payment. Deriving the key from the secret is meant
// to be slow, and the key never changes.
//
//go:noinline
func (t *till) processPayment(id, cents int64) string {
	t.requests.Add(1)
	derive := func() []byte { t.derivations.Add(1); return t.deriveKey() }
	var key []byte
	if t.cached {
		t.once.Do(func() { t.key = derive() })
		key = t.key
	} else {
		key = derive()
	}
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%d:%d", id, cents) // a hash never fails
	return hex.EncodeToString(mac.Sum(nil))
}

func (t *till) deriveKey() []byte {
	// It fails for sizes that FIPS mode forbids only, which these are not.
	key, _ := pbkdf2.Key(sha256.New, merchantSecret, []byte(merchantSalt), t.keyRounds, sha256.Size)
	return key
}

func (t *till) tax(runs int) (cents int64, err error) {
	for range runs {
		_, sum, err := pricing.Itemise("east", []pricing.Line{{Category: "toys", UnitPriceCents: 1999, Quantity: 3}})
		if err != nil {
			return 0, err
		}
		cents = sum.Tax
	}
	return cents, nil
}

func (t *till) check(card string, runs int) error {
	for range runs {
		if !t.card.MatchString(card) {
			return web.Invalid("card", "want 16 digits")
		}
	}
	return nil
}

// receipt numbers the receipt: a chain of hashes, so that none can be taken
// out of the book.
//
//go:noinline
func (t *till) receipt(id int64, runs int) string {
	sum := sha256.Sum256([]byte(strconv.FormatInt(id, 10)))
	for range runs {
		sum = sha256.Sum256(sum[:])
	}
	return hex.EncodeToString(sum[:8])
}
