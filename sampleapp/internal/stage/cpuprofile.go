package stage

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/sampleapp/internal/pricing"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// unit is the unit of work: so many rounds of a chain of hashes. Every function
// works in this unit, in the proportions of the example. So a function's share
// of the processor time is its share of the units, on any machine and however
// busy that is: nothing is calibrated.
const unit = 400

// The units of one request, 100 in all: what the example gives the functions in
// percent. What it leaves over, a fifth, makes the receipt.
const (
	paymentUnits    = 40
	taxUnits        = 30
	validationUnits = 10
	receiptUnits    = 20
)

// merchantSecret is what payments are signed with.
const merchantSecret = "merchant-secret"

// till handles payments.
type till struct {
	cached   bool
	once     sync.Once
	key      []byte
	card     *regexp.Regexp
	requests atomic.Int64
	// The units that each function has worked, and how often the key was
	// derived.
	payment, tax, validation, receipts, derivations atomic.Int64
}

// cpuProfile takes payments: with the signing key derived for each, or once.
func cpuProfile(_ context.Context, env Env, variant, part string) (*Set, error) {
	if part != Main {
		return nil, unknownPart(part)
	}
	t := &till{cached: variant != scenario.Before, card: regexp.MustCompile(`^(?:\d{4}[- ]?){3}\d{4}$`)}
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
	return &Set{Handler: engine, Facts: t.facts}, nil
}

// Facts of the scenario cpu-profile, each per request.
const (
	factDerivations     = "key_derivations_per_request"
	factPaymentUnits    = "units_of_process_payment"
	factTaxUnits        = "units_of_calculate_tax"
	factValidationUnits = "units_of_validate_input"
	factReceiptUnits    = "units_of_receipt"
)

func (t *till) facts(context.Context) (map[string]float64, error) {
	requests, facts := max(1, float64(t.requests.Load())), map[string]float64{}
	for name, n := range map[string]*atomic.Int64{
		factDerivations: &t.derivations, factPaymentUnits: &t.payment, factTaxUnits: &t.tax,
		factValidationUnits: &t.validation, factReceiptUnits: &t.receipts,
	} {
		facts[name] = float64(n.Load()) / requests
	}
	return facts, nil
}

// work hashes its own result over and over, for so many units, and counts them.
func work(count *atomic.Int64, units int, seed []byte) [sha256.Size]byte {
	count.Add(int64(units))
	sum := sha256.Sum256(seed)
	for range units * unit {
		sum = sha256.Sum256(sum[:])
	}
	return sum
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
	t.requests.Add(1)
	if err := t.validateInput("4111-1111-1111-1111"); err != nil {
		return receipt{}, err
	}
	tax, err := t.calculateTax()
	if err != nil {
		return receipt{}, err
	}
	signature := t.processPayment(id, tax)
	return receipt{id, tax, signature, t.makeReceipt(id)}, nil
}

// validateInput checks the card's number, and makes the fingerprint under which
// fraud is looked up.
//
//go:noinline
func (t *till) validateInput(card string) error {
	if !t.card.MatchString(card) {
		return web.Invalid("card", "want 16 digits")
	}
	work(&t.validation, validationUnits, []byte(card))
	return nil
}

// calculateTax itemises the purchase, and proves the table of rates that it
// used.
//
//go:noinline
func (t *till) calculateTax() (cents int64, err error) {
	_, sum, err := pricing.Itemise("east", []pricing.Line{{Category: "toys", UnitPriceCents: 1999, Quantity: 3}})
	if err != nil {
		return 0, err
	}
	work(&t.tax, taxUnits, []byte("east"))
	return sum.Tax, nil
}

// processPayment signs the payment. Deriving the key from the secret is meant
// to be slow, and the key never changes.
//
//go:noinline
func (t *till) processPayment(id, cents int64) string {
	if t.cached {
		t.once.Do(func() { t.key = t.deriveKey() })
	}
	key := t.key
	if !t.cached {
		key = t.deriveKey()
	}
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%d:%d", id, cents) // a hash never fails
	return hex.EncodeToString(mac.Sum(nil))
}

func (t *till) deriveKey() []byte {
	t.derivations.Add(1)
	key := work(&t.payment, paymentUnits, []byte(merchantSecret))
	return key[:]
}

// makeReceipt numbers the receipt: a chain of hashes, so that none can be taken
// out of the book.
//
//go:noinline
func (t *till) makeReceipt(id int64) string {
	sum := work(&t.receipts, receiptUnits, strconv.AppendInt(nil, id, 10))
	return hex.EncodeToString(sum[:8])
}
