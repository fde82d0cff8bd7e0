package observe

import (
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the process's numbers for Prometheus.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewMetrics returns the metrics that every process has: of itself, of Go, of
// its build and of the requests that it serves.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "penstock_http_requests_total",
			Help: "Requests answered, by API, operation and status code.",
		}, []string{"api", "operation", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "penstock_http_request_duration_seconds",
			Help:    "Time from the request's header to the end of its handler, by API and operation.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"api", "operation"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "penstock_build_info",
		Help:        "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.Register(m.requests, m.duration, build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Register adds collectors of other packages. It panics if one has a metric
// that is there already, which is a mistake in the program.
func (m *Metrics) Register(c ...prometheus.Collector) { m.registry.MustRegister(c...) }

// Handler serves the metrics in Prometheus's formats.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		Registry:      m.registry,
		ErrorHandling: promhttp.ContinueOnError, // one broken collector must not hide the rest
	})
}

// operationMetrics are those of one operation. Looking labels up is done once.
type operationMetrics struct {
	duration prometheus.Observer
	requests *prometheus.CounterVec // by code
	byStatus [statuses]atomic.Pointer[prometheus.Counter]
}

// HTTP's statuses are three digits, the first of them 1 to 5.
const (
	firstStatus = 100
	statuses    = 500
)

func (m *Metrics) operation(api, name string) *operationMetrics {
	labels := prometheus.Labels{"api": api, "operation": name}
	return &operationMetrics{
		duration: m.duration.With(labels),
		requests: m.requests.MustCurryWith(labels),
	}
}

func (o *operationMetrics) observe(status int, d time.Duration) {
	o.duration.Observe(d.Seconds())
	i := status - firstStatus
	if i < 0 || i >= statuses {
		o.requests.WithLabelValues(strconv.Itoa(status)).Inc()
		return
	}
	counter := o.byStatus[i].Load()
	if counter == nil {
		c := o.requests.WithLabelValues(strconv.Itoa(status))
		counter = &c
		o.byStatus[i].Store(counter)
	}
	(*counter).Inc()
}
