using System.Globalization;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Training;

/// <summary>The learning-rate schedulers (transformers' <c>SchedulerType</c>, less those that depend on a metric or on layers).</summary>
public enum LrSchedulerType
{
    /// <summary>Warm-up, then down to 0 in a line.</summary>
    Linear,

    /// <summary>Warm-up, then down to 0 along a cosine.</summary>
    Cosine,

    /// <summary>Warm-up, then <c>num_cycles</c> cosines, each from the peak to 0.</summary>
    CosineWithRestarts,

    /// <summary>Warm-up, then down to <c>lr_end</c> by the power <c>power</c>.</summary>
    Polynomial,

    /// <summary>The peak at every step; no warm-up.</summary>
    Constant,

    /// <summary>Warm-up, then the peak.</summary>
    ConstantWithWarmup,

    /// <summary>Warm-up, then down with the square root of the step.</summary>
    InverseSqrt,

    /// <summary>Warm-up, then along a cosine down to <c>min_lr</c> (or <c>min_lr_rate</c> × peak).</summary>
    CosineWithMinLr,

    /// <summary>Warm-up, the peak for <c>num_stable_steps</c>, then down over <c>num_decay_steps</c>.</summary>
    WarmupStableDecay,
}

/// <summary>The learning rate of every optimizer step, as transformers' optimization.py computes it. Immutable.</summary>
public sealed class LearningRateSchedule
{
    /// <summary>transformers' <c>get_inverse_sqrt_schedule</c>: its time scale where there is no warm-up.</summary>
    private const int DefaultTimescale = 10_000;

    private static readonly Dictionary<LrSchedulerType, string[]> KnownKwargs = new()
    {
        [LrSchedulerType.Linear] = [],
        [LrSchedulerType.Cosine] = ["num_cycles"],
        [LrSchedulerType.CosineWithRestarts] = ["num_cycles"],
        [LrSchedulerType.Polynomial] = ["lr_end", "power"],
        [LrSchedulerType.Constant] = [],
        [LrSchedulerType.ConstantWithWarmup] = [],
        [LrSchedulerType.InverseSqrt] = ["timescale"],
        [LrSchedulerType.CosineWithMinLr] = ["num_cycles", "min_lr", "min_lr_rate"],
        [LrSchedulerType.WarmupStableDecay] = ["num_stable_steps", "num_decay_steps", "warmup_type", "decay_type", "min_lr_ratio", "num_cycles"],
    };

    private readonly LrSchedulerType _type;
    private readonly IReadOnlyDictionary<string, string> _kwargs;
    private readonly double _rate;
    private readonly int _maxSteps;
    private readonly int _warmup;
    private readonly double _cycles;
    private readonly double _floor;
    private readonly double _power;
    private readonly double _timescale;
    private readonly int _stable;
    private readonly int _decay;
    private readonly string _warmupType;
    private readonly string _decayType;

    /// <summary>Makes a schedule.</summary>
    /// <param name="arguments">Peak rate, scheduler and its settings.</param>
    /// <param name="maxSteps">Optimizer steps of the run.</param>
    /// <param name="warmupSteps">Optimizer steps of warm-up (<see cref="TrainingPlan.WarmupSteps"/>).</param>
    /// <exception cref="AsrException">A setting is unknown to the scheduler, missing, or out of range.</exception>
    public LearningRateSchedule(TrainingArguments arguments, int maxSteps, int warmupSteps)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        _type = arguments.LrSchedulerType;
        _kwargs = arguments.LrSchedulerKwargs;
        _rate = arguments.LearningRate;
        _maxSteps = maxSteps;
        _warmup = warmupSteps;
        if (_kwargs.Keys.FirstOrDefault(key => !KnownKwargs[_type].Contains(key)) is { } unknown)
        {
            throw Wrong(unknown, KnownKwargs[_type] is { Length: > 0 } known ? $"the scheduler {Names.Of(_type)} has {string.Join(", ", known)}" : $"the scheduler {Names.Of(_type)} has no settings");
        }

        _cycles = Number("num_cycles", _type == LrSchedulerType.CosineWithRestarts ? 1 : 0.5, 0);
        _power = Number("power", 1, 0);
        _timescale = Number("timescale", warmupSteps > 0 ? warmupSteps : DefaultTimescale, 1);
        _floor = _type switch
        {
            LrSchedulerType.Polynomial => Number("lr_end", 1e-7, 0),
            LrSchedulerType.WarmupStableDecay => Number("min_lr_ratio", 0, 0),
            LrSchedulerType.CosineWithMinLr => MinimumShare(),
            _ => 0,
        };
        if (_type == LrSchedulerType.Polynomial && _rate > 0 && _floor >= _rate)
        {
            throw Wrong("lr_end", $"less than the learning rate ({_rate.ToString("R", CultureInfo.InvariantCulture)})");
        }

        (_warmupType, _decayType) = (Curve("warmup_type", "linear"), Curve("decay_type", "cosine"));
        if (_type == LrSchedulerType.WarmupStableDecay)
        {
            if (!_kwargs.ContainsKey("num_decay_steps"))
            {
                throw Wrong("num_decay_steps", "the scheduler warmup_stable_decay needs it");
            }

            _decay = (int)Number("num_decay_steps", 0, 0);
            _stable = (int)Number("num_stable_steps", maxSteps - warmupSteps - _decay, double.MinValue);
        }
    }

    /// <summary>The rate of a step.</summary>
    /// <param name="step">Optimizer steps done before it, from 0.</param>
    public double Rate(int step) => _rate * Factor(step);

    /// <summary>The share of the peak rate at a step.</summary>
    /// <param name="step">Optimizer steps done before it, from 0.</param>
    public double Factor(int step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (_type == LrSchedulerType.Constant)
        {
            return 1;
        }

        if (step < _warmup)
        {
            var share = step / (double)Math.Max(1, _warmup);
            return _type == LrSchedulerType.WarmupStableDecay ? Math.Max(0, (Rise(_warmupType, share) * (1 - _floor)) + _floor) : share;
        }

        // The share of what follows the warm-up.
        var progress = (step - _warmup) / (double)Math.Max(1, _maxSteps - _warmup);
        switch (_type)
        {
            case LrSchedulerType.Linear:
                return Math.Max(0, (_maxSteps - step) / (double)Math.Max(1, _maxSteps - _warmup));
            case LrSchedulerType.Cosine:
                return Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * _cycles * 2 * progress)));
            case LrSchedulerType.CosineWithRestarts:
                return progress >= 1 ? 0 : Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * (_cycles * progress % 1))));
            case LrSchedulerType.Polynomial when step > _maxSteps:
                return _floor / _rate;
            case LrSchedulerType.Polynomial:
                return (((_rate - _floor) * Math.Pow(1 - progress, _power)) + _floor) / _rate;
            case LrSchedulerType.InverseSqrt:
                return 1 / Math.Sqrt((step + (_timescale - _warmup)) / _timescale);
            case LrSchedulerType.CosineWithMinLr:
                return Math.Max(0, (0.5 * (1 + Math.Cos(Math.PI * _cycles * 2 * progress)) * (1 - _floor)) + _floor);
            case LrSchedulerType.WarmupStableDecay when step >= _warmup + _stable:
                var fall = (step - _warmup - _stable) / (double)Math.Max(1, _decay);
                return step >= _warmup + _stable + _decay ? _floor : Math.Max(0, (Fall(_decayType, fall) * (1 - _floor)) + _floor);
            default:
                return 1;
        }
    }

    private static double Rise(string curve, double share) => curve switch
    {
        "linear" => share,
        "cosine" => 0.5 * (1 - Math.Cos(Math.PI * share)),
        _ => 1 - Math.Sqrt(1 - share),
    };

    private double Fall(string curve, double share) => curve switch
    {
        "linear" => 1 - share,
        "cosine" => 0.5 * (1 + Math.Cos(Math.PI * _cycles * 2 * share)),
        _ => 1 - Math.Sqrt(share),
    };

    private double MinimumShare()
    {
        var (absolute, relative) = (_kwargs.ContainsKey("min_lr"), _kwargs.ContainsKey("min_lr_rate"));
        if (absolute == relative)
        {
            throw Wrong("min_lr", "the scheduler cosine_with_min_lr needs min_lr or min_lr_rate, not both");
        }

        return relative ? Number("min_lr_rate", 0, 0) : _rate == 0 ? 0 : Number("min_lr", 0, 0) / _rate;
    }

    private double Number(string key, double fallback, double least)
    {
        if (!_kwargs.TryGetValue(key, out var text))
        {
            return fallback;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) && value >= least
            ? value
            : throw Wrong(key, $"expected a number from {least.ToString("R", CultureInfo.InvariantCulture)}, found '{text}'");
    }

    private string Curve(string key, string fallback)
    {
        var curve = _kwargs.GetValueOrDefault(key, fallback);
        return curve is "linear" or "cosine" or "1-sqrt" ? curve : throw Wrong(key, $"expected linear, cosine or 1-sqrt, found '{curve}'");
    }

    private static AsrException Wrong(string key, string reason) => new($"--lr-scheduler-kwargs: {key}: {reason}.");
}
