# Reference values of the mixed-model tests: lme4 + lmerTest + pbkrtest (Debian r-cran-lmertest, r-cran-pbkrtest).
# Usage: Rscript reference.R      (in this folder; reads data_*.tsv, writes expected_*.tsv)
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(nlme)})
options(digits = 12, contrasts = c("contr.treatment", "contr.poly"))
tight <- lmerControl(optimizer = "bobyqa", check.conv.singular = "ignore",
                     optCtrl = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 1e6))
formula <- log(glx_tnaa) ~ condition * phase + period + sex + (1 | participant) + (1 | participant:session)
versions <- sapply(c("lme4", "lmerTest", "pbkrtest", "nlme"), function(p) as.character(packageVersion(p)))
writeLines(paste(c("R", names(versions)), c(as.character(getRversion()), versions)), "versions.txt")
number <- function(x) ifelse(is.na(x), "n/a", trimws(formatC(x, digits = 12, format = "g")))
for (file in list.files(pattern = "^data_.*\\.tsv$")) {
  name <- sub("^data_(.*)\\.tsv$", "\\1", file)
  data <- read.delim(file, na.strings = "n/a", colClasses = c(participant = "character"))
  for (column in c("participant", "session", "condition", "phase", "period", "sex")) data[[column]] <- factor(data[[column]])
  model <- if (grepl("crossed", name)) update(formula, . ~ . + (1 | site)) else formula
  if (grepl("threeway", name)) {
    data$site <- factor(data$site)
    model <- log(glx_tnaa) ~ condition * phase * sex + period + site + (1 | participant) + (1 | participant:session)
  }
  fit <- lmer(model, data, REML = TRUE, control = tight)
  rows <- list(); tests <- list()
  for (method in c("Kenward-Roger", "Satterthwaite")) {
    s <- coef(summary(fit, ddf = method))
    rows[[method]] <- data.frame(method = tolower(method), term = rownames(s), estimate = s[, "Estimate"],
                                 se = s[, "Std. Error"], df = s[, "df"], t = s[, "t value"], p = s[, "Pr(>|t|)"])
    a <- anova(fit, ddf = method, type = 3)
    tests[[method]] <- data.frame(method = tolower(method), term = rownames(a), num_df = a[["NumDF"]],
                                  den_df = a[["DenDF"]], f = a[["F value"]], p = a[["Pr(>F)"]])
  }
  # A joint test of three rows, from pbkrtest itself: condition, phase and their interaction.
  p <- length(fixef(fit)); L <- matrix(0, 3, p); L[cbind(1:3, c(2, 3, p))] <- 1
  test <- KRmodcomp(fit, L); kr <- sapply(c("ndf", "ddf", "Fstat", "p.value"), function(n) getKR(test, n))
  tests[["joint"]] <- data.frame(method = "kenward-roger", term = "joint", num_df = kr[["ndf"]], den_df = kr[["ddf"]],
                                 f = kr[["Fstat"]], p = kr[["p.value"]])
  v <- as.data.frame(VarCorr(fit))
  variances <- data.frame(term = v$grp, variance = v$vcov)
  write <- function(table, what) {
    table <- as.data.frame(lapply(table, function(x) if (is.numeric(x)) number(x) else x))
    write.table(table, sprintf("expected_%s_%s.tsv", name, what), sep = "\t", quote = FALSE, row.names = FALSE)
  }
  write(do.call(rbind, rows), "estimates"); write(do.call(rbind, tests), "anova"); write(variances, "variances")
  # First-order autoregression within the session (nlme): estimates only, nlme has no Kenward-Roger.
  if (!grepl("crossed|threeway", name)) {
    data$number <- as.integer(data$frame)
    ar <- lme(log(glx_tnaa) ~ condition * phase + period + sex, random = ~ 1 | participant/session, data = data,
              correlation = corAR1(form = ~ number | participant/session),
              control = lmeControl(maxIter = 500, msMaxIter = 500, tolerance = 1e-10, msTol = 1e-12))
    rho <- coef(ar$modelStruct$corStruct, unconstrained = FALSE)
    write(data.frame(term = c(names(fixef(ar)), "rho", "logLik"),
                     estimate = c(fixef(ar), rho, as.numeric(logLik(ar))),
                     se = c(sqrt(diag(vcov(ar))), NA, NA)), "ar1")
  }
}
