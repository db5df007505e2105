package catalog

// Outcomes of an attempt at a job: the values of the label outcome. A failed
// attempt that will be made again is a retry, the last one an error.
const (
	JobOK        = "ok"
	JobFailed    = "error"
	JobRetry     = "retry"
	JobPanicked  = "panic"
	JobCancelled = "cancelled"
	JobSnoozed   = "snoozed"
)
