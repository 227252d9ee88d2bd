using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class EarlyStoppingTests
{
    /// <summary>The counters are those of transformers' callback: the first evaluation is an improvement, an equal one is none, nor is one within the threshold.</summary>
    [Theory]
    [InlineData("0", "false", "5 4 4 3", "0 0 1 0")]
    [InlineData("0", "false", "5 6 5 4.9", "0 1 2 0")]
    [InlineData("0", "true", "5 6 5 6.1", "0 0 1 0")]
    [InlineData("1", "false", "5 4.5 4 2.9", "0 1 2 0")]
    [InlineData("0", "false", "5 NaN 4", "0 1 0")]
    public void Observe_Evaluations_CountsThoseThatAreNoBetter(string threshold, string greater, string values, string counters)
    {
        var arguments = Arguments(("early-stopping-threshold", threshold), ("greater-is-better", greater), ("metric-for-best-model", "loss"));
        var state = new TrainerState();
        Assert.Equal(
            counters.Split(' ').Select(int.Parse),
            values.Split(' ').Select(value =>
            {
                var metrics = new Dictionary<string, double> { ["eval_loss"] = double.Parse(value, System.Globalization.CultureInfo.InvariantCulture) };
                EarlyStopping.Observe(arguments, state, metrics);
                BestModel.Observe(arguments, state, metrics);
                return state.EarlyStopping!.Counter;
            }));
    }

    [Fact]
    public void IsDue_AfterTheLastOfThePatience_Only()
    {
        var arguments = Arguments();
        var state = new TrainerState();
        Assert.False(EarlyStopping.IsDue(arguments, state));
        state.EarlyStopping = new EarlyStoppingState(2, 0, 1);
        Assert.False(EarlyStopping.IsDue(arguments, state));
        state.EarlyStopping = new EarlyStoppingState(2, 0, 2);
        Assert.True(EarlyStopping.IsDue(arguments, state));
        Assert.False(EarlyStopping.IsDue(new TrainingArguments(), state));
    }

    [Fact]
    public void Observe_WithoutThatMetric_SaysSo() =>
        Assert.Contains("eval_wer", Assert.Throws<AsrException>(() => EarlyStopping.Observe(Arguments(), new TrainerState(), new Dictionary<string, double> { ["eval_wer"] = 1 })).Message);

    [Fact]
    public void State_OfEarlyStopping_IsWrittenAsTransformersDoesAndReadsBack()
    {
        var state = new TrainerState { EarlyStopping = new EarlyStoppingState(3, 0.5, 1) };
        var json = state.ToJson();
        Assert.Contains(
            """
              "stateful_callbacks": {
                "EarlyStoppingCallback": {
                  "args": {
                    "early_stopping_patience": 3,
                    "early_stopping_threshold": 0.5
                  },
                  "attributes": {
                    "early_stopping_patience_counter": 1
                  }
                },
                "TrainerControl": {
            """,
            json,
            StringComparison.Ordinal);
        Assert.Equal(state.EarlyStopping, TrainerState.Parse(json).EarlyStopping);
        Assert.Throws<FormatException>(() => TrainerState.Parse(json.Replace("early_stopping_patience_counter", "other", StringComparison.Ordinal)));
    }

    private static TrainingArguments Arguments(params (string Name, string Value)[] more) => TrainingArguments.Parse(
        new[] { ("eval-strategy", "steps"), ("load-best-model-at-end", "true"), ("early-stopping-patience", "2") }.Concat(more).ToDictionary(pair => pair.Item1, pair => pair.Item2));
}
