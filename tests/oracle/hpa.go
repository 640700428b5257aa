package main

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"time"
	"unsafe"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	scaleclient "k8s.io/client-go/scale"
	"k8s.io/client-go/tools/record"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/monitor"
	consistencyutil "k8s.io/kubernetes/pkg/controller/util/consistency"
	"k8s.io/kubernetes/pkg/controller/util/selectors"
	customapi "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalapi "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	metricsapi "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	resourceclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
	customclient "k8s.io/metrics/pkg/client/custom_metrics"
	externalclient "k8s.io/metrics/pkg/client/external_metrics"
)

const (
	namespace = "default"
	hpaName   = "hpa"
	hpaKey    = namespace + "/" + hpaName
)

var podLabels = map[string]string{"app": "web"}

type hpaRow struct {
	Config struct {
		ToleranceDown float64 `json:"tolerance_down"`
		Window        float64 `json:"downscale_stabilization_s"`
		CPUInit       float64 `json:"cpu_initialization_period_s"`
		ReadyDelay    float64 `json:"initial_readiness_delay_s"`
	} `json:"config"`
	HPA struct {
		Min      int32       `json:"min_replicas"`
		Max      int32       `json:"max_replicas"`
		Metrics  []metricRow `json:"metrics"`
		Behavior *struct {
			Up   rulesRow `json:"scale_up"`
			Down rulesRow `json:"scale_down"`
		} `json:"behavior"`
	} `json:"hpa"`
	Scale struct {
		Spec   int32 `json:"spec_replicas"`
		Status int32 `json:"status_replicas"`
	} `json:"scale"`
	Pods         []podRow    `json:"pods"`
	Prior        *[]entryRow `json:"prior_recommendations"`
	Up           []eventRow  `json:"scale_up_events"`
	Down         []eventRow  `json:"scale_down_events"`
	ScaledToZero bool        `json:"scaled_to_zero"`
	Failing      []string    `json:"failing_apis"`
}

type metricRow struct {
	Type        string      `json:"type"`
	Name        string      `json:"name"`
	Container   string      `json:"container"`
	Percent     *int32      `json:"target_utilization_pct"`
	Average     *int64      `json:"target_average_milli"`
	Value       *int64      `json:"target_milli"`
	Samples     []sampleRow `json:"samples"`
	Values      []int64     `json:"values_milli"`
	Unavailable bool        `json:"unavailable"`
}

type sampleRow struct {
	Pod        string           `json:"pod"`
	Containers map[string]int64 `json:"containers"`
	Value      int64            `json:"value_milli"`
	Timestamp  float64          `json:"timestamp_s"`
	Window     float64          `json:"window_s"`
}

type rulesRow struct {
	Select   string   `json:"select_policy"`
	Window   *float64 `json:"stabilization_window_s"`
	Policies []struct {
		Type   string  `json:"type"`
		Value  int32   `json:"value"`
		Period float64 `json:"period_s"`
	} `json:"policies"`
	Tolerance *int64 `json:"tolerance_milli"`
}

type podRow struct {
	Name       string         `json:"name"`
	Phase      string         `json:"phase"`
	Ready      *bool          `json:"ready"`
	Start      *float64       `json:"start_time_s"`
	ReadySince float64        `json:"ready_transition_s"`
	Deleting   bool           `json:"deleting"`
	Containers []containerRow `json:"containers"`
	Init       []containerRow `json:"init_containers"`
	Request    *int64         `json:"pod_request_milli"`
}

type containerRow struct {
	Name    string `json:"name"`
	Request *int64 `json:"request_milli"`
	Always  bool   `json:"restart_always"`
}

type entryRow struct {
	Replicas int32   `json:"replicas"`
	At       float64 `json:"t_s"`
}

type eventRow struct {
	Change   int32   `json:"change"`
	At       float64 `json:"t_s"`
	Outdated bool    `json:"outdated"`
}

// The controller's own records, field by field as upstream has them.
type recommendation struct {
	replicas int32
	at       time.Time
}

type scaleEvent struct {
	change   int32
	at       time.Time
	outdated bool
}

type hpaAnswer struct {
	Replicas     int32             `json:"desired_replicas"`
	Updated      bool              `json:"scale_updated"`
	Conditions   [][3]string       `json:"conditions"`
	Statuses     []json.RawMessage `json:"metric_statuses"`
	Log          []entryRow        `json:"log_after"`
	Up           []eventRow        `json:"scale_up_events_after"`
	Down         []eventRow        `json:"scale_down_events_after"`
	ScaledToZero bool              `json:"scaled_to_zero_after"`
}

//go:linkname reconcileAutoscaler k8s.io/kubernetes/pkg/controller/podautoscaler.(*HorizontalController).reconcileAutoscaler
func reconcileAutoscaler(a *podautoscaler.HorizontalController, ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, key string) error

// private is a field that upstream keeps to itself.
func private(of any, name string) reflect.Value {
	field := reflect.ValueOf(of).Elem().FieldByName(name)
	return reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
}

// logs are the controller's records under types that can be written here.
func recommendations(a *podautoscaler.HorizontalController) *map[string][]recommendation {
	return (*map[string][]recommendation)(private(a, "recommendations").Addr().UnsafePointer())
}

func scaleEvents(a *podautoscaler.HorizontalController, name string) *map[string][]scaleEvent {
	return (*map[string][]scaleEvent)(private(a, name).Addr().UnsafePointer())
}

// hpaReconcile makes one whole pass of the controller.
func hpaReconcile(line []byte) (any, error) {
	var row hpaRow
	if err := json.Unmarshal(line, &row); err != nil {
		return nil, err
	}
	hpa, err := row.object()
	if err != nil {
		return nil, err
	}
	world := &world{row: &row, metrics: map[string]*metricRow{}}
	for i := range row.HPA.Metrics {
		world.metrics[metricName(i)] = &row.HPA.Metrics[i]
	}
	a := world.controller()
	log := recommendations(a)
	*log = map[string][]recommendation{}
	if row.Prior != nil {
		entries := make([]recommendation, 0)
		for _, entry := range *row.Prior {
			entries = append(entries, recommendation{entry.Replicas, moment(entry.At)})
		}
		(*log)[hpaKey] = entries
	}
	up, down := scaleEvents(a, "scaleUpEvents"), scaleEvents(a, "scaleDownEvents")
	*up = map[string][]scaleEvent{hpaKey: readEvents(row.Up)}
	*down = map[string][]scaleEvent{hpaKey: readEvents(row.Down)}
	// The pass's error is told by its conditions.
	_ = reconcileAutoscaler(a, context.Background(), hpa, hpaKey)
	found := hpaAnswer{Replicas: row.Scale.Spec, ScaledToZero: row.ScaledToZero, Conditions: [][3]string{}, Log: []entryRow{}}
	if world.written != nil {
		found.Replicas, found.Updated = *world.written, true
	}
	if world.status != nil {
		found.takeStatus(world.status, &row)
	}
	for _, entry := range (*log)[hpaKey] {
		found.Log = append(found.Log, entryRow{entry.replicas, since(entry.at)})
	}
	found.Up, found.Down = writeEvents((*up)[hpaKey]), writeEvents((*down)[hpaKey])
	return found, nil
}

func readEvents(rows []eventRow) []scaleEvent {
	var events []scaleEvent
	for _, row := range rows {
		events = append(events, scaleEvent{row.Change, moment(row.At), row.Outdated})
	}
	return events
}

func writeEvents(events []scaleEvent) []eventRow {
	rows := make([]eventRow, 0)
	for _, event := range events {
		rows = append(rows, eventRow{event.change, since(event.at), event.outdated})
	}
	return rows
}

// takeStatus takes over what the pass says of itself.
func (a *hpaAnswer) takeStatus(status *autoscalingv2.HorizontalPodAutoscalerStatus, row *hpaRow) {
	for _, condition := range status.Conditions {
		if condition.Type == autoscalingv2.ScaledToZero {
			a.ScaledToZero = condition.Status == v1.ConditionTrue
			continue
		}
		a.Conditions = append(a.Conditions, [3]string{string(condition.Type), string(condition.Status), condition.Reason})
	}
	for _, one := range status.CurrentMetrics {
		a.Statuses = append(a.Statuses, metricStatus(one))
	}
}

// metricStatus is one metric's value in the status; null where it failed.
func metricStatus(status autoscalingv2.MetricStatus) json.RawMessage {
	var current *autoscalingv2.MetricValueStatus
	switch status.Type {
	case autoscalingv2.ResourceMetricSourceType:
		current = &status.Resource.Current
	case autoscalingv2.ContainerResourceMetricSourceType:
		current = &status.ContainerResource.Current
	case autoscalingv2.PodsMetricSourceType:
		current = &status.Pods.Current
	case autoscalingv2.ObjectMetricSourceType:
		current = &status.Object.Current
	case autoscalingv2.ExternalMetricSourceType:
		current = &status.External.Current
	}
	if current == nil {
		return json.RawMessage("null")
	}
	shown := map[string]int64{}
	if current.AverageUtilization != nil {
		shown["utilization_pct"] = int64(*current.AverageUtilization)
	}
	if current.AverageValue != nil {
		shown["average_milli"] = current.AverageValue.MilliValue()
	}
	if current.Value != nil {
		shown["value_milli"] = current.Value.MilliValue()
	}
	text, _ := json.Marshal(shown)
	return text
}

// world is everything around the controller.
type world struct {
	row     *hpaRow
	metrics map[string]*metricRow
	written *int32
	status  *autoscalingv2.HorizontalPodAutoscalerStatus
}

func (w *world) fails(api string) bool {
	for _, failing := range w.row.Failing {
		if failing == api {
			return true
		}
	}
	return false
}

// controller is a controller without queue and informers, which a single pass
// doesn't use.
func (w *world) controller() *podautoscaler.HorizontalController {
	config := &w.row.Config
	a := new(podautoscaler.HorizontalController)
	pods := &podLister{}
	for i := range w.row.Pods {
		pods.pods = append(pods.pods, w.row.Pods[i].object(w.row))
	}
	client := metricsclient.NewRESTMetricsClient(&resourceMetrics{world: w}, &customMetrics{world: w}, &externalMetrics{world: w})
	set := func(name string, value any) { private(a, name).Set(reflect.ValueOf(value)) }
	set("scaleNamespacer", &scales{world: w})
	set("hpaNamespacer", &hpas{world: w})
	set("mapper", mapper{})
	set("tolerance", config.ToleranceDown)
	set("replicaCalc", podautoscaler.NewReplicaCalculator(client, pods, length(config.CPUInit), length(config.ReadyDelay)))
	set("eventRecorder", nobody{})
	set("downscaleStabilisationWindow", length(config.Window))
	set("monitor", quiet)
	set("podLister", pods)
	set("selectorTracker", tracker{ambiguous: w.fails("ambiguous_selector")})
	set("consistencyStore", consistencyutil.NewNoopConsistencyStore())
	return a
}

var quiet = monitor.New()

// metricName tells apart metrics of one API that are read by name.
func metricName(i int) string { return "metric-" + string(rune('a'+i)) }

func (r *hpaRow) object() (*autoscalingv2.HorizontalPodAutoscaler, error) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: hpaName, Namespace: namespace},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
			MinReplicas:    &r.HPA.Min,
			MaxReplicas:    r.HPA.Max,
		},
	}
	for i := range r.HPA.Metrics {
		hpa.Spec.Metrics = append(hpa.Spec.Metrics, r.HPA.Metrics[i].object(i))
	}
	if given := r.HPA.Behavior; given != nil {
		hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: given.Up.object(), ScaleDown: given.Down.object()}
	}
	if r.ScaledToZero {
		asleep := autoscalingv2.HorizontalPodAutoscalerCondition{Type: autoscalingv2.ScaledToZero, Status: v1.ConditionTrue, Reason: "ScaledToZero"}
		hpa.Status.Conditions = append(hpa.Status.Conditions, asleep)
	}
	return hpa, nil
}

func (r *rulesRow) object() *autoscalingv2.HPAScalingRules {
	choice := autoscalingv2.ScalingPolicySelect(r.Select)
	rules := &autoscalingv2.HPAScalingRules{SelectPolicy: &choice}
	if r.Window != nil {
		window := int32(*r.Window)
		rules.StabilizationWindowSeconds = &window
	}
	for _, policy := range r.Policies {
		kind := autoscalingv2.HPAScalingPolicyType(policy.Type)
		rules.Policies = append(rules.Policies, autoscalingv2.HPAScalingPolicy{Type: kind, Value: policy.Value, PeriodSeconds: int32(policy.Period)})
	}
	if r.Tolerance != nil {
		// As the API server hands it out: canonical text, read again.
		tolerance := resource.MustParse(resource.NewMilliQuantity(*r.Tolerance, resource.DecimalSI).String())
		rules.Tolerance = &tolerance
	}
	return rules
}

func milli(value int64) *resource.Quantity {
	return resource.NewMilliQuantity(value, resource.DecimalSI)
}

func (m *metricRow) target() autoscalingv2.MetricTarget {
	switch {
	case m.Percent != nil:
		return autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: m.Percent}
	case m.Average != nil:
		return autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: milli(*m.Average)}
	case m.Value != nil:
		return autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: milli(*m.Value)}
	}
	return autoscalingv2.MetricTarget{}
}

func (m *metricRow) object(i int) autoscalingv2.MetricSpec {
	spec := autoscalingv2.MetricSpec{Type: autoscalingv2.MetricSourceType(m.Type)}
	// The metric's place stands in its selector, where the fake APIs find it
	// again; resource metrics have no selector, see resourceMetrics.
	metric := autoscalingv2.MetricIdentifier{Name: metricName(i)}
	switch spec.Type {
	case autoscalingv2.ResourceMetricSourceType:
		spec.Resource = &autoscalingv2.ResourceMetricSource{Name: v1.ResourceName(m.Name), Target: m.target()}
	case autoscalingv2.ContainerResourceMetricSourceType:
		spec.ContainerResource = &autoscalingv2.ContainerResourceMetricSource{Name: v1.ResourceName(m.Name), Container: m.Container, Target: m.target()}
	case autoscalingv2.PodsMetricSourceType:
		spec.Pods = &autoscalingv2.PodsMetricSource{Metric: metric, Target: m.target()}
	case autoscalingv2.ObjectMetricSourceType:
		object := autoscalingv2.CrossVersionObjectReference{APIVersion: "v1", Kind: "Service", Name: "queue"}
		spec.Object = &autoscalingv2.ObjectMetricSource{DescribedObject: object, Metric: metric, Target: m.target()}
	case autoscalingv2.ExternalMetricSourceType:
		spec.External = &autoscalingv2.ExternalMetricSource{Metric: metric, Target: m.target()}
	}
	return spec
}

func (p *podRow) object(row *hpaRow) *v1.Pod {
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: namespace, Labels: podLabels},
		Status:     v1.PodStatus{Phase: v1.PodPhase(p.Phase)},
	}
	if p.Deleting {
		at := metav1.Now()
		pod.DeletionTimestamp = &at
	}
	if p.Start != nil {
		at := stamp(*p.Start)
		pod.Status.StartTime = &at
	}
	if p.Ready != nil {
		status := v1.ConditionFalse
		if *p.Ready {
			status = v1.ConditionTrue
		}
		pod.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: status, LastTransitionTime: stamp(p.ReadySince)}}
	}
	// Every resource that a metric of the row names has the same requests.
	requests := func(request *int64) v1.ResourceRequirements {
		list := v1.ResourceList{}
		if request != nil {
			for i := range row.HPA.Metrics {
				if name := row.HPA.Metrics[i].Name; row.HPA.Metrics[i].isResource() {
					list[v1.ResourceName(name)] = *milli(*request)
				}
			}
		}
		return v1.ResourceRequirements{Requests: list}
	}
	for _, one := range p.Containers {
		pod.Spec.Containers = append(pod.Spec.Containers, v1.Container{Name: one.Name, Resources: requests(one.Request)})
	}
	for _, one := range p.Init {
		container := v1.Container{Name: one.Name, Resources: requests(one.Request)}
		if one.Always {
			always := v1.ContainerRestartPolicyAlways
			container.RestartPolicy = &always
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, container)
	}
	if p.Request != nil {
		own := requests(p.Request)
		pod.Spec.Resources = &own
	}
	return pod
}

func (m *metricRow) isResource() bool {
	return m.Type == string(autoscalingv2.ResourceMetricSourceType) || m.Type == string(autoscalingv2.ContainerResourceMetricSourceType)
}

var errUnavailable = errors.New("unavailable")

// scales holds the one scale of the row.
type scales struct {
	scaleclient.ScaleInterface
	world *world
}

func (s *scales) Scales(string) scaleclient.ScaleInterface { return s }

func (s *scales) Get(context.Context, schema.GroupResource, string, metav1.GetOptions) (*autoscalingv1.Scale, error) {
	if s.world.fails("get_scale") {
		return nil, errUnavailable
	}
	scale := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: namespace},
		Spec:       autoscalingv1.ScaleSpec{Replicas: s.world.row.Scale.Spec},
		Status:     autoscalingv1.ScaleStatus{Replicas: s.world.row.Scale.Status, Selector: "app=web"},
	}
	if s.world.fails("selector_missing") {
		scale.Status.Selector = ""
	} else if s.world.fails("selector_unparsable") {
		scale.Status.Selector = "cheddar cheese"
	}
	return scale, nil
}

func (s *scales) Update(_ context.Context, _ schema.GroupResource, scale *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	if s.world.fails("update_scale") {
		return nil, errUnavailable
	}
	s.world.written = &scale.Spec.Replicas
	return scale, nil
}

// hpas takes the status that the pass writes.
type hpas struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	world *world
}

func (h *hpas) HorizontalPodAutoscalers(string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return h
}

func (h *hpas) UpdateStatus(_ context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	h.world.status = &hpa.Status
	return hpa, nil
}

type mapper struct{ meta.RESTMapper }

func (mapper) RESTMappings(kind schema.GroupKind, _ ...string) ([]*meta.RESTMapping, error) {
	at := schema.GroupVersionResource{Group: kind.Group, Version: "v1", Resource: "deployments"}
	return []*meta.RESTMapping{{Resource: at}}, nil
}

// nobody hears events.
type nobody struct{}

var _ record.EventRecorder = nobody{}

func (nobody) Event(runtime.Object, string, string, string)          {}
func (nobody) Eventf(runtime.Object, string, string, string, ...any) {}
func (nobody) AnnotatedEventf(runtime.Object, map[string]string, string, string, string, ...any) {
}

// tracker knows this autoscaler, and maybe one more for the same pods.
type tracker struct{ ambiguous bool }

func (tracker) PutIfAbsent(string, selectors.Key, labels.Selector) bool  { return false }
func (tracker) PutIfPresent(string, selectors.Key, labels.Selector) bool { return true }
func (tracker) Delete(string, selectors.Key)                             {}
func (t tracker) HPAsMatchingPods(string, []*v1.Pod, int) []selectors.Key {
	if t.ambiguous {
		return make([]selectors.Key, 2)
	}
	return make([]selectors.Key, 1)
}

// podLister lists the row's pods.
type podLister struct {
	corelisters.PodLister
	corelisters.PodNamespaceLister
	pods []*v1.Pod
}

func (l *podLister) Pods(string) corelisters.PodNamespaceLister { return l }
func (l *podLister) Get(string) (*v1.Pod, error)                { return nil, errUnavailable }
func (l *podLister) List(selector labels.Selector) ([]*v1.Pod, error) {
	var found []*v1.Pod
	for _, pod := range l.pods {
		if selector.Matches(labels.Set(pod.Labels)) {
			found = append(found, pod)
		}
	}
	return found, nil
}

// resourceMetrics serves resource metrics. Requests for them name no metric, so
// they are told apart by order: the controller asks once for each, and for none
// that has neither target.
type resourceMetrics struct {
	resourceclient.PodMetricsInterface
	world *world
	asked int
}

func (r *resourceMetrics) PodMetricses(string) resourceclient.PodMetricsInterface { return r }

func (r *resourceMetrics) List(context.Context, metav1.ListOptions) (*metricsapi.PodMetricsList, error) {
	metric := &r.world.row.HPA.Metrics[r.asked]
	for !metric.isResource() {
		r.asked++
		metric = &r.world.row.HPA.Metrics[r.asked]
	}
	r.asked++
	if metric.Unavailable {
		return nil, errUnavailable
	}
	list := &metricsapi.PodMetricsList{}
	for _, sample := range metric.Samples {
		pod := metricsapi.PodMetrics{
			ObjectMeta: metav1.ObjectMeta{Name: sample.Pod, Namespace: namespace},
			Timestamp:  stamp(sample.Timestamp),
			Window:     metav1.Duration{Duration: length(sample.Window)},
		}
		for name, value := range sample.Containers {
			usage := v1.ResourceList{v1.ResourceName(metric.Name): *milli(value)}
			pod.Containers = append(pod.Containers, metricsapi.ContainerMetrics{Name: name, Usage: usage})
		}
		list.Items = append(list.Items, pod)
	}
	return list, nil
}

// customMetrics serves metrics of pods and of an object.
type customMetrics struct {
	customclient.MetricsInterface
	world *world
}

func (c *customMetrics) RootScopedMetrics() customclient.MetricsInterface       { return c }
func (c *customMetrics) NamespacedMetrics(string) customclient.MetricsInterface { return c }

func (c *customMetrics) GetForObjects(_ schema.GroupKind, _ labels.Selector, name string, _ labels.Selector) (*customapi.MetricValueList, error) {
	metric := c.world.metrics[name]
	if metric.Unavailable {
		return nil, errUnavailable
	}
	list := &customapi.MetricValueList{}
	for _, sample := range metric.Samples {
		window := int64(sample.Window)
		list.Items = append(list.Items, customapi.MetricValue{
			DescribedObject: v1.ObjectReference{Name: sample.Pod},
			Timestamp:       stamp(sample.Timestamp),
			WindowSeconds:   &window,
			Value:           *milli(sample.Value),
		})
	}
	return list, nil
}

func (c *customMetrics) GetForObject(_ schema.GroupKind, _, name string, _ labels.Selector) (*customapi.MetricValue, error) {
	metric := c.world.metrics[name]
	if metric.Unavailable || len(metric.Values) == 0 {
		return nil, errUnavailable
	}
	return &customapi.MetricValue{Timestamp: metav1.Now(), Value: *milli(metric.Values[0])}, nil
}

// externalMetrics serves series from outside.
type externalMetrics struct {
	externalclient.MetricsInterface
	world *world
}

func (e *externalMetrics) NamespacedMetrics(string) externalclient.MetricsInterface { return e }

func (e *externalMetrics) List(name string, _ labels.Selector) (*externalapi.ExternalMetricValueList, error) {
	metric := e.world.metrics[name]
	if metric.Unavailable {
		return nil, errUnavailable
	}
	list := &externalapi.ExternalMetricValueList{}
	for _, value := range metric.Values {
		list.Items = append(list.Items, externalapi.ExternalMetricValue{MetricName: name, Timestamp: metav1.Now(), Value: *milli(value)})
	}
	return list, nil
}
