"""Dense attention over pages with its log-sum-exp, and the parts that the other kernels share."""
