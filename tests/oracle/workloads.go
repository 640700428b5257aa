package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"
	_ "unsafe" // for the names that upstream keeps to itself

	apps "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	appsclient "k8s.io/client-go/kubernetes/typed/apps/v1"
	appslisters "k8s.io/client-go/listers/apps/v1"
	"k8s.io/kubernetes/pkg/controller"
	"k8s.io/kubernetes/pkg/controller/deployment"
	deploymentutil "k8s.io/kubernetes/pkg/controller/deployment/util"
	"k8s.io/kubernetes/pkg/controller/disruption"
)

type candidateRow struct {
	Node            string   `json:"node"`
	Phase           string   `json:"phase"`
	Ready           bool     `json:"ready"`
	Cost            *int64   `json:"deletion_cost"`
	Rank            int      `json:"colocated_rank"`
	ReadySince      *float64 `json:"ready_since_s"`
	Created         *float64 `json:"created_s"`
	Restarts        int32    `json:"restarts"`
	SidecarRestarts int32    `json:"sidecar_restarts"`
	UID             string   `json:"uid"`
}

func (c *candidateRow) object() *v1.Pod {
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{UID: types.UID(c.UID), Annotations: map[string]string{}},
		Spec:       v1.PodSpec{NodeName: c.Node},
		Status:     v1.PodStatus{Phase: v1.PodPhase(c.Phase)},
	}
	if c.Cost != nil {
		pod.Annotations["controller.kubernetes.io/pod-deletion-cost"] = strconv.FormatInt(*c.Cost, 10)
	}
	if c.Created != nil {
		pod.CreationTimestamp = stamp(*c.Created)
	}
	ready := v1.PodCondition{Type: v1.PodReady, Status: v1.ConditionFalse}
	if c.Ready {
		ready.Status = v1.ConditionTrue
	}
	if c.ReadySince != nil {
		ready.LastTransitionTime = stamp(*c.ReadySince)
	}
	pod.Status.Conditions = []v1.PodCondition{ready}
	pod.Status.ContainerStatuses = []v1.ContainerStatus{{Name: "main", RestartCount: c.Restarts}, {Name: "other", RestartCount: c.Restarts / 2}}
	always := v1.ContainerRestartPolicyAlways
	pod.Spec.InitContainers = []v1.Container{{Name: "side", RestartPolicy: &always}, {Name: "init"}}
	pod.Status.InitContainerStatuses = []v1.ContainerStatus{{Name: "side", RestartCount: c.SidecarRestarts}, {Name: "init", RestartCount: 99}}
	return pod
}

func podRanking(line []byte) (any, error) {
	var row struct {
		A candidateRow `json:"a"`
		B candidateRow `json:"b"`
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return nil, err
	}
	ranked := controller.ActivePodsWithRanks{
		Pods: []*v1.Pod{row.A.object(), row.B.object()},
		Rank: []int{row.A.Rank, row.B.Rank},
		Now:  metav1.Now(),
	}
	order := "equal"
	switch {
	case ranked.Less(0, 1) && ranked.Less(1, 0):
		order = "both"
	case ranked.Less(0, 1):
		order = "a_deleted_first"
	case ranked.Less(1, 0):
		order = "b_deleted_first"
	}
	return map[string]string{"order": order}, nil
}

type deploymentRow struct {
	Replicas       int32               `json:"replicas"`
	MaxSurge       *intstr.IntOrString `json:"max_surge"`
	MaxUnavailable *intstr.IntOrString `json:"max_unavailable"`
	Strategy       string              `json:"strategy"`
}

func (d *deploymentRow) object() *apps.Deployment {
	strategy := apps.DeploymentStrategy{
		Type:          apps.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &apps.RollingUpdateDeployment{MaxSurge: d.MaxSurge, MaxUnavailable: d.MaxUnavailable},
	}
	if d.Strategy == "Recreate" {
		strategy = apps.DeploymentStrategy{Type: apps.RecreateDeploymentStrategyType}
	}
	return &apps.Deployment{Spec: apps.DeploymentSpec{Replicas: &d.Replicas, Strategy: strategy}}
}

type setRow struct {
	Name      string `json:"name"`
	Replicas  int32  `json:"replicas"`
	Available int32  `json:"available"`
	AgeRank   int    `json:"age_rank"`
}

func (s *setRow) object(desired, max int32) *apps.ReplicaSet {
	size := s.Replicas
	set := &apps.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: s.Name, Namespace: namespace, CreationTimestamp: stamp(float64(s.AgeRank))},
		Spec:       apps.ReplicaSetSpec{Replicas: &size},
		Status:     apps.ReplicaSetStatus{AvailableReplicas: s.Available},
	}
	deploymentutil.SetReplicasAnnotations(set, desired, max)
	return set
}

//go:linkname deploymentScale k8s.io/kubernetes/pkg/controller/deployment.(*DeploymentController).scale
func deploymentScale(dc *deployment.DeploymentController, ctx context.Context, d *apps.Deployment, newRS *apps.ReplicaSet, oldRSs []*apps.ReplicaSet) error

//go:linkname reconcileOld k8s.io/kubernetes/pkg/controller/deployment.(*DeploymentController).reconcileOldReplicaSets
func reconcileOld(dc *deployment.DeploymentController, ctx context.Context, all, old []*apps.ReplicaSet, newRS *apps.ReplicaSet, d *apps.Deployment) (bool, error)

func deploymentMath(line []byte) (any, error) {
	var row struct {
		deploymentRow
		Kind         string           `json:"kind"`
		Desired      int32            `json:"deployment_replicas"`
		NewReplicas  int32            `json:"new_rs_replicas"`
		NewAvailable int32            `json:"new_rs_available"`
		OldReplicas  int32            `json:"old_rs_replicas"`
		OldAvailable int32            `json:"old_rs_available"`
		Deployment   deploymentRow    `json:"deployment"`
		Previous     deploymentRow    `json:"previous_deployment"`
		New          *setRow          `json:"new_rs"`
		Old          []setRow         `json:"old_rs"`
		All          []int32          `json:"all_rs_spec_replicas"`
		Noted        map[string]int32 `json:"desired_annotation_override"`
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return nil, err
	}
	switch row.Kind {
	case "resolve_fenceposts":
		surge, unavailable, err := deploymentutil.ResolveFenceposts(row.MaxSurge, row.MaxUnavailable, row.Replicas)
		if err != nil {
			return map[string]bool{"error": true}, nil
		}
		return map[string]int32{"surge": surge, "unavailable": unavailable}, nil
	case "max_unavailable":
		return map[string]int32{"max_unavailable": deploymentutil.MaxUnavailable(*row.Deployment.object())}, nil
	case "new_rs_replicas":
		row.deploymentRow.Replicas = row.Desired
		var all []*apps.ReplicaSet
		for _, size := range row.All {
			all = append(all, (&setRow{Replicas: size}).object(0, 0))
		}
		size, err := deploymentutil.NewRSNewReplicas(row.deploymentRow.object(), all, (&setRow{Replicas: row.NewReplicas}).object(0, 0))
		return map[string]int32{"new_rs_replicas": size}, err
	case "reconcile_old_rs":
		row.deploymentRow.Replicas = row.Desired
		old := (&setRow{Name: "old", Replicas: row.OldReplicas, Available: row.OldAvailable}).object(0, 0)
		fresh := (&setRow{Name: "new", Replicas: row.NewReplicas, Available: row.NewAvailable}).object(0, 0)
		dc, written := deployments()
		scaled, err := reconcileOld(dc, context.Background(), []*apps.ReplicaSet{old, fresh}, []*apps.ReplicaSet{old}, fresh, row.deploymentRow.object())
		size := row.OldReplicas
		if now, touched := written["old"]; touched {
			size = now
		}
		return map[string]any{"scaled": scaled, "old_rs_replicas": size}, err
	case "proportional_scale":
		before := row.Previous.object()
		set := func(s *setRow) *apps.ReplicaSet {
			noted := row.Previous.Replicas
			if own, there := row.Noted[s.Name]; there {
				noted = own
			}
			return s.object(noted, noted+deploymentutil.MaxSurge(*before))
		}
		sizes := map[string]int32{}
		var fresh *apps.ReplicaSet
		if row.New != nil {
			fresh = set(row.New)
			sizes[row.New.Name] = row.New.Replicas
		}
		var old []*apps.ReplicaSet
		for i := range row.Old {
			old = append(old, set(&row.Old[i]))
			sizes[row.Old[i].Name] = row.Old[i].Replicas
		}
		dc, written := deployments()
		err := deploymentScale(dc, context.Background(), row.Deployment.object(), fresh, old)
		for name, size := range written {
			sizes[name] = size
		}
		return map[string]any{"replicas": sizes}, err
	}
	return nil, fmt.Errorf("no kind is called %q", row.Kind)
}

// deployments is a controller that only writes sizes.
func deployments() (*deployment.DeploymentController, map[string]int32) {
	dc, written := new(deployment.DeploymentController), map[string]int32{}
	private(dc, "client").Set(reflect.ValueOf(client{written: written}))
	private(dc, "eventRecorder").Set(reflect.ValueOf(nobody{}))
	return dc, written
}

// client writes ReplicaSets' sizes down, by way of the interfaces between.
type client struct {
	kubernetes.Interface
	written map[string]int32
}

type appsGroup struct {
	appsclient.AppsV1Interface
	written map[string]int32
}

type setWriter struct {
	appsclient.ReplicaSetInterface
	written map[string]int32
}

func (c client) AppsV1() appsclient.AppsV1Interface { return appsGroup{written: c.written} }
func (c appsGroup) ReplicaSets(string) appsclient.ReplicaSetInterface {
	return setWriter{written: c.written}
}
func (c setWriter) Update(_ context.Context, set *apps.ReplicaSet, _ metav1.UpdateOptions) (*apps.ReplicaSet, error) {
	c.written[set.Name] = *set.Spec.Replicas
	return set, nil
}

//go:linkname expectedPodCount k8s.io/kubernetes/pkg/controller/disruption.(*DisruptionController).getExpectedPodCount
func expectedPodCount(dc *disruption.DisruptionController, ctx context.Context, pdb *policy.PodDisruptionBudget, pods []*v1.Pod) (int32, int32, []string, error)

//go:linkname countHealthyPods k8s.io/kubernetes/pkg/controller/disruption.countHealthyPods
func countHealthyPods(pods []*v1.Pod, disrupted map[string]metav1.Time, now time.Time) int32

//go:linkname updatePdbStatus k8s.io/kubernetes/pkg/controller/disruption.(*DisruptionController).updatePdbStatus
func updatePdbStatus(dc *disruption.DisruptionController, ctx context.Context, pdb *policy.PodDisruptionBudget, healthy, desired, expected int32, disrupted map[string]metav1.Time) error

func pdbMath(line []byte) (any, error) {
	var row struct {
		Budget struct {
			Min *intstr.IntOrString `json:"min_available"`
			Max *intstr.IntOrString `json:"max_unavailable"`
		} `json:"budget"`
		Pods []struct {
			Ready      bool    `json:"ready"`
			Deleting   bool    `json:"deleting"`
			Controller *string `json:"controller"`
		} `json:"pods"`
		Scale map[string]int32 `json:"controller_scale"`
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return nil, err
	}
	pdb := &policy.PodDisruptionBudget{Spec: policy.PodDisruptionBudgetSpec{MinAvailable: row.Budget.Min, MaxUnavailable: row.Budget.Max}}
	var pods []*v1.Pod
	for i, one := range row.Pods {
		pod := (&candidateRow{Phase: "Running", Ready: one.Ready}).object()
		pod.Name = fmt.Sprint("pod-", i)
		if one.Deleting {
			at := metav1.Now()
			pod.DeletionTimestamp = &at
		}
		if one.Controller != nil {
			yes := true
			owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: *one.Controller, UID: types.UID(*one.Controller), Controller: &yes}
			pod.OwnerReferences = []metav1.OwnerReference{owner}
		}
		pods = append(pods, pod)
	}
	dc := new(disruption.DisruptionController)
	private(dc, "rsLister").Set(reflect.ValueOf(sets{scale: row.Scale}))
	expected, desired, _, err := expectedPodCount(dc, context.Background(), pdb, pods)
	if err != nil {
		return nil, err
	}
	var status policy.PodDisruptionBudgetStatus
	update := private(dc, "getUpdater")
	take := reflect.MakeFunc(update.Type().Out(0), func(args []reflect.Value) []reflect.Value {
		status = args[1].Interface().(*policy.PodDisruptionBudget).Status
		return []reflect.Value{reflect.Zero(update.Type().Out(0).Out(0))}
	})
	update.Set(reflect.MakeFunc(update.Type(), func([]reflect.Value) []reflect.Value { return []reflect.Value{take} }))
	healthy := countHealthyPods(pods, nil, time.Now())
	// A status that differs, so that the new one is written.
	pdb.Status.CurrentHealthy = -1
	if err := updatePdbStatus(dc, context.Background(), pdb, healthy, desired, expected, nil); err != nil {
		return nil, err
	}
	return map[string]int32{
		"disruptions_allowed": status.DisruptionsAllowed,
		"current_healthy":     status.CurrentHealthy,
		"desired_healthy":     status.DesiredHealthy,
		"expected_pods":       status.ExpectedPods,
	}, nil
}

// sets lists ReplicaSets by their name and size.
type sets struct {
	appslisters.ReplicaSetLister
	scale map[string]int32
}

type setsOfOne struct {
	appslisters.ReplicaSetNamespaceLister
	scale map[string]int32
}

func (s sets) ReplicaSets(string) appslisters.ReplicaSetNamespaceLister {
	return setsOfOne{scale: s.scale}
}
func (s setsOfOne) Get(name string) (*apps.ReplicaSet, error) {
	size, there := s.scale[name]
	if !there {
		return nil, errUnavailable
	}
	return &apps.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Spec: apps.ReplicaSetSpec{Replicas: &size}}, nil
}
