# Influenza in a boarding school: susceptible, infectious, recovered; the model, the priors and the likelihood of
# Grinsztajn et al. 2021 (doi:10.1002/sim.9164), in base R. It reads cases.csv and knows nothing of modelworks.

set.seed(as.integer(Sys.getenv("MODELWORKS_SEED", "1")))
cases <- read.csv("cases.csv")
boys <- 763
steps_a_day <- 4
chains <- 4
warmup <- 1500
draws <- 4000

# Boys infectious on each day after the first, by the classical Runge-Kutta method.
prevalence <- function(beta, gamma, days) {
  h <- 1 / steps_a_day
  s <- boys - 1
  i <- 1
  found <- numeric(days)
  for (day in seq_len(days)) {
    for (k in seq_len(steps_a_day)) {
      f1 <- beta * s * i / boys
      i1 <- f1 - gamma * i
      f2 <- beta * (s - h / 2 * f1) * (i + h / 2 * i1) / boys
      i2 <- f2 - gamma * (i + h / 2 * i1)
      f3 <- beta * (s - h / 2 * f2) * (i + h / 2 * i2) / boys
      i3 <- f3 - gamma * (i + h / 2 * i2)
      f4 <- beta * (s - h * f3) * (i + h * i3) / boys
      i4 <- f4 - gamma * (i + h * i3)
      s <- s - h / 6 * (f1 + 2 * f2 + 2 * f3 + f4)
      i <- i + h / 6 * (i1 + 2 * i2 + 2 * i3 + i4)
    }
    found[day] <- i
  }
  found
}

# The log posterior density of the logarithms of beta, gamma and the overdispersion; the last sum is what the change to
# logarithms adds.
log_density <- function(theta) {
  p <- exp(theta)
  expected <- prevalence(p[1], p[2], nrow(cases))
  if (any(!is.finite(expected)) || any(expected <= 0)) return(-Inf)
  sum(dnbinom(cases$in_bed, size = 1 / p[3], mu = expected, log = TRUE)) +
    dnorm(p[1], 2, 1, log = TRUE) + dnorm(p[2], 0.4, 0.5, log = TRUE) + dexp(p[3], 5, log = TRUE) + sum(theta)
}

mode <- optim(log(c(1.7, 0.5, 0.1)), function(theta) -log_density(theta), method = "BFGS", hessian = TRUE)
# The random walk that is optimal for a normal posterior (Roberts, Gelman and Gilks 1997, doi:10.1214/aoap/1034625254).
scatter <- t(chol(solve(mode$hessian))) * 2.38 / sqrt(3)

one_chain <- function(chain) {
  theta <- mode$par + as.vector(scatter %*% rnorm(3))
  density <- log_density(theta)
  kept <- matrix(NA_real_, draws, 4)
  for (k in seq_len(warmup + draws)) {
    proposed <- theta + as.vector(scatter %*% rnorm(3))
    there <- log_density(proposed)
    if (log(runif(1)) < there - density) {
      theta <- proposed
      density <- there
    }
    if (k > warmup) kept[k - warmup, ] <- c(exp(theta), density)
  }
  data.frame(chain = chain, draw = seq_len(draws), contact_rate = kept[, 1], recovery_rate = kept[, 2],
             overdispersion = kept[, 3], lp__ = kept[, 4])
}

posterior <- do.call(rbind, lapply(seq_len(chains), one_chain))
write.csv(posterior, "draws.csv", row.names = FALSE)

quantity <- function(values, title, unit) {
  q <- quantile(values, c(0.025, 0.5, 0.975))
  sprintf('{"title": "%s", "unit": "%s", "value": %.6g, "low": %.6g, "high": %.6g}', title, unit, q[2], q[1], q[3])
}
cat(sprintf(
  '{"reproduction_number": %s,\n "days_ill": %s}\n',
  quantity(posterior$contact_rate / posterior$recovery_rate, "Basic reproduction number", "ratio"),
  quantity(1 / posterior$recovery_rate, "Days a boy is infectious", "days")
), file = "metrics.json")

some <- posterior[seq(1, nrow(posterior), length.out = 200), ]
curves <- mapply(prevalence, some$contact_rate, some$recovery_rate, MoreArgs = list(days = nrow(cases)))
curve <- data.frame(date = cases$date, in_bed = cases$in_bed,
                    t(apply(curves, 1, quantile, c(0.025, 0.5, 0.975), names = FALSE)))
names(curve)[3:5] <- c("low", "median", "high")
write.csv(curve, "curve.csv", row.names = FALSE)

png("fit.png", width = 1200, height = 700, res = 150, type = "cairo")
plot(as.Date(curve$date), curve$in_bed, pch = 19, ylim = c(0, max(curve$high, curve$in_bed)),
     xlab = "", ylab = "Boys confined to bed")
lines(as.Date(curve$date), curve$median)
lines(as.Date(curve$date), curve$low, lty = 2)
lines(as.Date(curve$date), curve$high, lty = 2)
invisible(dev.off())
