package main

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/parallelize"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodeaffinity"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/noderesources"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/podtopologyspread"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/tainttoleration"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
)

// Plugins count what they do, and fall over when nobody has set counters up.
func init() { metrics.Register() }

type amounts map[string]int64

type sceneRow struct {
	Strategy  string `json:"strategy"`
	Plugin    string `json:"plugin"`
	Resources []struct {
		Name   string `json:"name"`
		Weight int64  `json:"weight"`
	} `json:"resources"`
	Allocatable   amounts   `json:"allocatable"`
	IgnoredNames  []string  `json:"ignored_resources"`
	IgnoredGroups []string  `json:"ignored_resource_groups"`
	Pod           kindRow   `json:"pod"`
	NodePods      []kindRow `json:"node_pods"`
	Nodes         []nodeRow `json:"nodes"`
	Infeasible    []nodeRow `json:"infeasible_nodes"`
	Scheduled     []kindRow `json:"scheduled_pods"`
}

type nodeRow struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels"`
	Allocatable amounts           `json:"allocatable"`
	Taints      []v1.Taint        `json:"taints"`
}

type kindRow struct {
	Name        string              `json:"name"`
	Node        string              `json:"node"`
	Namespace   string              `json:"namespace"`
	Labels      map[string]string   `json:"labels"`
	Selector    map[string]string   `json:"node_selector"`
	AffinityIn  map[string][]string `json:"node_affinity_in"`
	Terminating bool                `json:"terminating"`
	Containers  []struct {
		Requests amounts `json:"requests"`
	} `json:"containers"`
	Init []struct {
		Requests amounts `json:"requests"`
		Always   bool    `json:"restart_always"`
	} `json:"init_containers"`
	Tolerations []struct {
		Key    string `json:"key"`
		Op     string `json:"op"`
		Value  string `json:"value"`
		Effect string `json:"effect"`
	} `json:"tolerations"`
	Preferred []struct {
		Weight      int32            `json:"weight"`
		Expressions []requirementRow `json:"match_expressions"`
		Fields      []requirementRow `json:"match_fields"`
	} `json:"preferred_terms"`
	Spread []struct {
		MaxSkew    int32        `json:"max_skew"`
		Key        string       `json:"topology_key"`
		When       string       `json:"when_unsatisfiable"`
		Selector   *selectorRow `json:"selector"`
		MinDomains *int32       `json:"min_domains"`
		Affinity   string       `json:"node_affinity_policy"`
		Taints     string       `json:"node_taints_policy"`
	} `json:"spread"`
}

type selectorRow struct {
	Labels      map[string]string `json:"match_labels"`
	Expressions []requirementRow  `json:"match_expressions"`
}

type requirementRow struct {
	Key    string   `json:"key"`
	Op     string   `json:"op"`
	Values []string `json:"values"`
}

func (a amounts) list() v1.ResourceList {
	list := v1.ResourceList{}
	for name, amount := range a {
		if name == "cpu" {
			list[v1.ResourceCPU] = *milli(amount)
		} else {
			list[v1.ResourceName(name)] = *resource.NewQuantity(amount, resource.DecimalSI)
		}
	}
	return list
}

func (n *nodeRow) object() *v1.Node {
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: n.Labels}}
	node.Spec.Taints = n.Taints
	node.Status.Allocatable = n.Allocatable.list()
	if n.Allocatable == nil {
		node.Status.Allocatable = amounts{"pods": 1_000}.list()
	}
	return node
}

func (s *selectorRow) object() *metav1.LabelSelector {
	if s == nil {
		return nil
	}
	selector := &metav1.LabelSelector{MatchLabels: s.Labels}
	for _, one := range s.Expressions {
		requirement := metav1.LabelSelectorRequirement{Key: one.Key, Operator: metav1.LabelSelectorOperator(one.Op), Values: one.Values}
		selector.MatchExpressions = append(selector.MatchExpressions, requirement)
	}
	return selector
}

func nodeRequirements(rows []requirementRow) []v1.NodeSelectorRequirement {
	var found []v1.NodeSelectorRequirement
	for _, one := range rows {
		found = append(found, v1.NodeSelectorRequirement{Key: one.Key, Operator: v1.NodeSelectorOperator(one.Op), Values: one.Values})
	}
	return found
}

func (k *kindRow) object() *v1.Pod {
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: k.Name, UID: types.UID(k.Name), Namespace: k.Namespace, Labels: k.Labels}}
	pod.Spec.NodeName, pod.Spec.NodeSelector = k.Node, k.Selector
	if k.Terminating {
		at := metav1.Now()
		pod.DeletionTimestamp = &at
	}
	for i, one := range k.Containers {
		container := v1.Container{Name: fmt.Sprint("c", i)}
		container.Resources.Requests = one.Requests.list()
		pod.Spec.Containers = append(pod.Spec.Containers, container)
	}
	always := v1.ContainerRestartPolicyAlways
	for i, one := range k.Init {
		container := v1.Container{Name: fmt.Sprint("i", i)}
		container.Resources.Requests = one.Requests.list()
		if one.Always {
			container.RestartPolicy = &always
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, container)
	}
	for _, one := range k.Tolerations {
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, v1.Toleration{
			Key: one.Key, Operator: v1.TolerationOperator(one.Op), Value: one.Value, Effect: v1.TaintEffect(one.Effect),
		})
	}
	affinity := &v1.NodeAffinity{}
	for _, one := range k.Preferred {
		term := v1.NodeSelectorTerm{MatchExpressions: nodeRequirements(one.Expressions), MatchFields: nodeRequirements(one.Fields)}
		affinity.PreferredDuringSchedulingIgnoredDuringExecution = append(affinity.PreferredDuringSchedulingIgnoredDuringExecution,
			v1.PreferredSchedulingTerm{Weight: one.Weight, Preference: term})
	}
	if k.AffinityIn != nil {
		term := v1.NodeSelectorTerm{}
		for key, values := range k.AffinityIn {
			term.MatchExpressions = append(term.MatchExpressions, v1.NodeSelectorRequirement{Key: key, Operator: v1.NodeSelectorOpIn, Values: values})
		}
		affinity.RequiredDuringSchedulingIgnoredDuringExecution = &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{term}}
	}
	pod.Spec.Affinity = &v1.Affinity{NodeAffinity: affinity}
	for _, one := range k.Spread {
		constraint := v1.TopologySpreadConstraint{
			MaxSkew: one.MaxSkew, TopologyKey: one.Key, WhenUnsatisfiable: v1.UnsatisfiableConstraintAction(one.When),
			LabelSelector: one.Selector.object(), MinDomains: one.MinDomains,
		}
		if one.Affinity != "" {
			policy := v1.NodeInclusionPolicy(one.Affinity)
			constraint.NodeAffinityPolicy = &policy
		}
		if one.Taints != "" {
			policy := v1.NodeInclusionPolicy(one.Taints)
			constraint.NodeTaintsPolicy = &policy
		}
		pod.Spec.TopologySpreadConstraints = append(pod.Spec.TopologySpreadConstraints, constraint)
	}
	return pod
}

// handle is what plugins see of the scheduler.
type handle struct {
	fwk.Handle
	lister fwk.SharedLister
}

func (h handle) SnapshotSharedLister() fwk.SharedLister                 { return h.lister }
func (h handle) Parallelizer() fwk.Parallelizer                         { return parallelize.NewParallelizer(1) }
func (h handle) SharedInformerFactory() informers.SharedInformerFactory { return nil }
func (h handle) SharedDRAManager() fwk.SharedDRAManager                 { return nil }

// features are those of the release, without resources that device classes
// stand behind: there are no such classes here.
func features() feature.Features {
	found := feature.NewSchedulerFeaturesFromGates(utilfeature.DefaultFeatureGate)
	found.EnableDRAExtendedResource = false
	return found
}

func (r *sceneRow) handle() handle {
	var nodes []*v1.Node
	for i := range r.Nodes {
		nodes = append(nodes, r.Nodes[i].object())
	}
	for i := range r.Infeasible {
		nodes = append(nodes, r.Infeasible[i].object())
	}
	var pods []*v1.Pod
	for i := range r.Scheduled {
		r.Scheduled[i].Name = fmt.Sprint("pod-", i)
		pods = append(pods, r.Scheduled[i].object())
	}
	return handle{lister: cache.NewSnapshot(pods, nodes)}
}

// nodeInfos are the nodes of the row that passed the filters.
func (r *sceneRow) nodeInfos(h handle) ([]fwk.NodeInfo, error) {
	var infos []fwk.NodeInfo
	for i := range r.Nodes {
		info, err := h.lister.NodeInfos().Get(r.Nodes[i].Name)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func (r *sceneRow) specs() []config.ResourceSpec {
	var specs []config.ResourceSpec
	for _, one := range r.Resources {
		specs = append(specs, config.ResourceSpec{Name: one.Name, Weight: one.Weight})
	}
	return specs
}

// scores are one plugin's scores of the row's nodes, made comparable.
func (r *sceneRow) scores(h handle, plugin fwk.Plugin) (map[string]int64, error) {
	ctx, state, pod := context.Background(), framework.NewCycleState(), r.Pod.object()
	infos, err := r.nodeInfos(h)
	if err != nil {
		return nil, err
	}
	found := map[string]int64{}
	if status := plugin.(fwk.PreScorePlugin).PreScore(ctx, state, pod, infos); status.IsSkip() {
		for _, info := range infos {
			found[info.Node().Name] = 0
		}
		return found, nil
	} else if !status.IsSuccess() {
		return nil, status.AsError()
	}
	score := plugin.(fwk.ScorePlugin)
	var list fwk.NodeScoreList
	for _, info := range infos {
		value, status := score.Score(ctx, state, pod, info)
		if !status.IsSuccess() {
			return nil, status.AsError()
		}
		list = append(list, fwk.NodeScore{Name: info.Node().Name, Score: value})
	}
	if extensions := score.ScoreExtensions(); extensions != nil {
		if status := extensions.NormalizeScore(ctx, state, pod, list); !status.IsSuccess() {
			return nil, status.AsError()
		}
	}
	for _, one := range list {
		found[one.Name] = one.Score
	}
	return found, nil
}

func readScene(line []byte) (*sceneRow, handle, error) {
	row := &sceneRow{}
	if err := json.Unmarshal(line, row); err != nil {
		return nil, handle{}, err
	}
	return row, row.handle(), nil
}

func resourceScores(line []byte) (any, error) {
	row, h, err := readScene(line)
	if err != nil {
		return nil, err
	}
	var plugin fwk.Plugin
	if row.Strategy == "BalancedAllocation" {
		args := &config.NodeResourcesBalancedAllocationArgs{Resources: row.specs()}
		plugin, err = noderesources.NewBalancedAllocation(context.Background(), args, h, features())
	} else {
		strategy := &config.ScoringStrategy{Type: config.ScoringStrategyType(row.Strategy), Resources: row.specs()}
		plugin, err = noderesources.NewFit(context.Background(), &config.NodeResourcesFitArgs{ScoringStrategy: strategy}, h, features())
	}
	if err != nil {
		return nil, err
	}
	scores, err := row.scores(h, plugin)
	return map[string]any{"scores": scores}, err
}

func otherScores(line []byte) (any, error) {
	row, h, err := readScene(line)
	if err != nil {
		return nil, err
	}
	var plugin fwk.Plugin
	switch row.Plugin {
	case "TaintToleration":
		plugin, err = tainttoleration.New(context.Background(), nil, h, features())
	case "NodeAffinity":
		plugin, err = nodeaffinity.New(context.Background(), &config.NodeAffinityArgs{}, h, features())
	default:
		err = fmt.Errorf("no plugin %q", row.Plugin)
	}
	if err != nil {
		return nil, err
	}
	scores, err := row.scores(h, plugin)
	return map[string]any{"scores": scores}, err
}

func spreadPlugin(h handle) (fwk.Plugin, error) {
	args := &config.PodTopologySpreadArgs{DefaultingType: config.ListDefaulting}
	return podtopologyspread.New(context.Background(), args, h, features())
}

func spreadScore(line []byte) (any, error) {
	row, h, err := readScene(line)
	if err != nil {
		return nil, err
	}
	plugin, err := spreadPlugin(h)
	if err != nil {
		return nil, err
	}
	scores, err := row.scores(h, plugin)
	return map[string]any{"normalized_scores": scores}, err
}

func spreadFilter(line []byte) (any, error) {
	row, h, err := readScene(line)
	if err != nil {
		return nil, err
	}
	plugin, err := spreadPlugin(h)
	if err != nil {
		return nil, err
	}
	infos, err := row.nodeInfos(h)
	if err != nil {
		return nil, err
	}
	ctx, state, pod := context.Background(), framework.NewCycleState(), row.Pod.object()
	_, status := plugin.(fwk.PreFilterPlugin).PreFilter(ctx, state, pod, infos)
	if !status.IsSuccess() && !status.IsSkip() {
		return nil, status.AsError()
	}
	found := map[string]string{}
	for _, info := range infos {
		found[info.Node().Name] = "Success"
		if !status.IsSkip() {
			found[info.Node().Name] = plugin.(fwk.FilterPlugin).Filter(ctx, state, pod, info).Code().String()
		}
	}
	return map[string]any{"status": found}, nil
}

func fit(line []byte) (any, error) {
	row := &sceneRow{}
	if err := json.Unmarshal(line, row); err != nil {
		return nil, err
	}
	node := (&nodeRow{Name: "node", Allocatable: row.Allocatable}).object()
	row.Nodes = []nodeRow{{Name: "node", Allocatable: row.Allocatable}}
	var pods []*v1.Pod
	for i := range row.NodePods {
		row.NodePods[i].Name, row.NodePods[i].Node = fmt.Sprint("pod-", i), "node"
		pods = append(pods, row.NodePods[i].object())
	}
	h := handle{lister: cache.NewSnapshot(pods, []*v1.Node{node})}
	args := &config.NodeResourcesFitArgs{
		IgnoredResources: row.IgnoredNames, IgnoredResourceGroups: row.IgnoredGroups,
		ScoringStrategy: &config.ScoringStrategy{Type: config.LeastAllocated, Resources: []config.ResourceSpec{{Name: "cpu", Weight: 1}}},
	}
	plugin, err := noderesources.NewFit(context.Background(), args, h, features())
	if err != nil {
		return nil, err
	}
	info, err := h.lister.NodeInfos().Get("node")
	if err != nil {
		return nil, err
	}
	ctx, state, pod := context.Background(), framework.NewCycleState(), row.Pod.object()
	if _, status := plugin.(fwk.PreFilterPlugin).PreFilter(ctx, state, pod, nil); !status.IsSuccess() {
		return nil, status.AsError()
	}
	status := plugin.(fwk.FilterPlugin).Filter(ctx, state, pod, info)
	reasons := []string{}
	if status != nil {
		reasons = append(reasons, status.Reasons()...)
	}
	insufficient := []map[string]any{}
	if len(row.IgnoredNames)+len(row.IgnoredGroups) == 0 {
		for _, one := range noderesources.Fits(pod, info, nil, noderesources.ResourceRequestsOptions{EnablePodLevelResources: true}) {
			if one.ResourceName != v1.ResourcePods {
				insufficient = append(insufficient, map[string]any{
					"resource": one.ResourceName, "requested": one.Requested, "used": one.Used, "capacity": one.Capacity,
				})
			}
		}
	}
	return map[string]any{"fits": status.IsSuccess(), "reasons": reasons, "insufficient": insufficient}, nil
}
