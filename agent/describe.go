package agent

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/internal/reqscope"
	"github.com/cacheu/plumbline/agent/internal/traces"
)

// requestDetail is what the span of a request says of it.
type requestDetail struct {
	method, route, path, scheme, host, userAgent string
	profile, errorType, kept                     string // empty ones are left out
	status                                       int
	size                                         int64
	times                                        [len(reqscope.Summary{})]time.Duration // in the summary's order
	touched                                      uint8                                  // a bit for each of them that is said
}

var _ traces.Detail = (*requestDetail)(nil)

// AppendAttributes implements [traces.Detail].
func (d *requestDetail) AppendAttributes(to []attribute.KeyValue) []attribute.KeyValue {
	to = append(to,
		attribute.String(catalog.AttrHTTPRequestMethod, d.method),
		attribute.String(catalog.AttrHTTPRoute, d.route),
		attribute.Int(catalog.AttrHTTPStatusCode, d.status),
		attribute.Int64(catalog.AttrHTTPResponseSize, d.size),
		attribute.String(catalog.AttrURLPath, clean(d.path, 1024)),
		attribute.String(catalog.AttrURLScheme, d.scheme),
		attribute.String(catalog.AttrServerAddress, clean(d.host, 255)),
		attribute.String(catalog.AttrUserAgent, clean(d.userAgent, 256)),
	)
	for i, c := range catalog.Components() {
		if d.touched&(1<<i) != 0 {
			to = append(to, attribute.Float64(componentAttrs[c], d.times[i].Seconds()))
		}
	}
	for _, pair := range [...][2]string{
		{catalog.AttrProfileID, d.profile}, {catalog.AttrErrorType, d.errorType}, {catalog.AttrKept, d.kept},
	} {
		if pair[1] != "" {
			to = append(to, attribute.String(pair[0], pair[1]))
		}
	}
	return to
}

// describe says in the span how the request ended.
func (q *Request) describe(r Response, summary reqscope.Summary) {
	d := &requestDetail{
		method: HTTPMethod(q.http.Method), route: q.route, path: q.http.URL.Path, scheme: scheme(q.http),
		host: q.http.Host, userAgent: q.http.UserAgent(), profile: q.label, status: r.Status, size: r.Size,
	}
	for i, part := range summary {
		if part.Calls > 0 || part.Time > 0 {
			d.times[i] = part.Time
			d.touched |= 1 << i
		}
	}
	message := ""
	switch {
	case r.Panic != nil:
		d.errorType, message = "panic", fmt.Sprint(r.Panic)
	case r.Status >= http.StatusInternalServerError:
		d.errorType = strconv.Itoa(r.Status)
		if r.Err != nil {
			message = r.Err.Error()
		}
	}
	if d.errorType != "" {
		q.keepFor(keepError)
		q.span.SetStatus(codes.Error, clean(message, 1024))
	}
	d.kept = q.kept()
	q.span.Keep = d.kept != ""
	q.span.SetDetail(d)
}
