// The oracle answers rows of tests/upstream with what Kubernetes' own code
// decides. One JSON row a line comes in, one JSON answer a line goes out: the
// row's `expect`. README.md says how it is run.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

// families has the answerer of each family of rows.
var families = map[string]func(row []byte) (any, error){
	"deployment_math":           deploymentMath,
	"hpa_reconcile":             hpaReconcile,
	"pdb_math":                  pdbMath,
	"replicaset_pod_ranking":    podRanking,
	"scheduler_fit":             fit,
	"scheduler_other_scores":    otherScores,
	"scheduler_resource_scores": resourceScores,
	"scheduler_spread_filter":   spreadFilter,
	"scheduler_spread_score":    spreadScore,
}

// main reads rows in a bubble of testing/synctest: its clock stands still, so
// that edges of windows and periods are exact.
func main() {
	klog.SetOutput(io.Discard)
	klog.LogToStderr(false)
	all := func(_, _ string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "oracle", F: func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			serve()
			os.Exit(0)
		})
	}}}, nil, nil)
}

func serve() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	answers := bufio.NewWriterSize(os.Stdout, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			answers.Write(answer(line))
			answers.WriteByte('\n')
		}
		// Before this waits for a row that isn't there yet as a whole, whoever
		// sends rows gets the answers so far: he may be waiting for them.
		rest, _ := lines.Peek(lines.Buffered())
		if err != nil || bytes.IndexByte(rest, '\n') < 0 {
			answers.Flush()
		}
		if err != nil {
			return
		}
	}
}

// answer gives a row's `expect`, or says what is wrong with the row. A panic of
// upstream's code is an answer too.
func answer(line []byte) (out []byte) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", r, debug.Stack())
			out, _ = json.Marshal(map[string]string{"panic": fmt.Sprint(r)})
		}
	}()
	var head struct {
		Family string `json:"family"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return refusal(err)
	}
	family, known := families[head.Family]
	if !known {
		return refusal(fmt.Errorf("no family is called %q", head.Family))
	}
	found, err := family(line)
	if err != nil {
		return refusal(err)
	}
	out, err = json.Marshal(found)
	if err != nil {
		return refusal(err)
	}
	return out
}

func refusal(err error) []byte {
	out, _ := json.Marshal(map[string]string{"bad_row": err.Error()})
	return out
}

// never is how rows write a moment that was never noted.
const never = -1e9

// moment is a row's moment: seconds from now.
func moment(seconds float64) time.Time {
	if seconds <= never {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(math.Round(seconds * 1e9)))
}

func stamp(seconds float64) metav1.Time { return metav1.NewTime(moment(seconds)) }

// since is the inverse of moment.
func since(at time.Time) float64 { return float64(at.Sub(time.Now()).Nanoseconds()) / 1e9 }

func length(seconds float64) time.Duration { return time.Duration(math.Round(seconds * 1e9)) }
