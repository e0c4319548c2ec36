"""How many replicas a service should have: what the Kubernetes HPA would say, and why.

In come policies, values of expressions and the number of replicas there are;
out go recommendations with their reasons, and, where a policy acts, changes of
the scale. Needs a `QueryFunc`, a `DecisionStore` and the ways out in `ports`.
Must not know rules, stores of samples, SQL, or who asks.
"""
