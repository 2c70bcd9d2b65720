module github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed

go 1.26.0
