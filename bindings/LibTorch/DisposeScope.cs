using Tensor = AsrPlatform.LibTorch.torch.Tensor;

namespace AsrPlatform.LibTorch;

/// <summary>Owns the tensors that are made on this thread while it is the innermost scope, and frees them when it ends.</summary>
/// <remarks>
/// Scopes nest and belong to the thread that opened them: never await or yield inside one, and dispose tensors of a scope on
/// its thread. The scope keeps its tensors as a list through the tensors themselves, so that entering and leaving costs no
/// memory.
/// </remarks>
public sealed class DisposeScope : IDisposable
{
    [ThreadStatic]
    private static DisposeScope? _current;

    private DisposeScope? _outer;
    private Tensor? _first;
    private Tensor? _last;
    private int _count;
    private bool _ended;

    private DisposeScope() => _outer = _current;

    /// <summary>The innermost scope of this thread, or null.</summary>
    internal static DisposeScope? Current => _current;

    internal static DisposeScope Open() => _current = new DisposeScope();

    /// <summary>How many tensors the scope owns now.</summary>
    public int DisposablesCount
    {
        get
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            return _count;
        }
    }

    /// <summary>The tensors that the scope owns now, oldest first; a copy.</summary>
    public IReadOnlyList<IDisposable> DisposablesView
    {
        get
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            var result = new List<IDisposable>(_count);
            for (var t = _first; t is not null; t = t.NextInScope)
            {
                result.Add(t);
            }
            return result;
        }
    }

    public bool Contains(IDisposable disposable) => disposable is Tensor t && ReferenceEquals(t.OwningScope, this);

    /// <summary>Takes tensors into this scope, out of the one that had them.</summary>
    public void Attach(IDisposable disposable)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        var tensor = disposable as Tensor ?? throw new InvalidOperationException("A dispose scope manages tensors only.");
        if (ReferenceEquals(tensor.OwningScope, this))
        {
            return;
        }
        tensor.OwningScope?.Remove(tensor);
        Add(tensor);
    }

    public void Attach(params IDisposable[] disposables) => _ = Attach((IEnumerable<IDisposable>)disposables);

    public IReadOnlyList<IDisposable> Attach(IEnumerable<IDisposable> disposables)
    {
        var result = disposables.ToList();
        foreach (var disposable in result)
        {
            Attach(disposable);
        }
        return result;
    }

    /// <summary>Hands tensors of this scope to the scope around it; with none around it they are on their own.</summary>
    public T MoveToOuter<T>(T disposable)
        where T : IDisposable => MoveToOther(_outer, disposable);

    public (T1 first, T2 second) MoveToOuter<T1, T2>(T1 first, T2 second)
        where T1 : IDisposable
        where T2 : IDisposable => MoveToOther(_outer, first, second);

    public (T1 first, T2 second, T3 third) MoveToOuter<T1, T2, T3>(T1 first, T2 second, T3 third)
        where T1 : IDisposable
        where T2 : IDisposable
        where T3 : IDisposable => MoveToOther(_outer, first, second, third);

    public void MoveToOuter(params IDisposable[] disposables) => MoveToOther(_outer, (IEnumerable<IDisposable>)disposables);

    public void MoveToOuter(IEnumerable<IDisposable> disposables) => MoveToOther(_outer, disposables);

    /// <summary>Hands tensors of this scope to another one, or to none. What the scope does not own stays where it is.</summary>
    public T MoveToOther<T>(DisposeScope? scope, T disposable)
        where T : IDisposable
    {
        Move(scope, disposable);
        return disposable;
    }

    public (T1 first, T2 second) MoveToOther<T1, T2>(DisposeScope? scope, T1 first, T2 second)
        where T1 : IDisposable
        where T2 : IDisposable
    {
        Move(scope, first);
        Move(scope, second);
        return (first, second);
    }

    public (T1 first, T2 second, T3 third) MoveToOther<T1, T2, T3>(DisposeScope? scope, T1 first, T2 second, T3 third)
        where T1 : IDisposable
        where T2 : IDisposable
        where T3 : IDisposable
    {
        Move(scope, first);
        Move(scope, second);
        Move(scope, third);
        return (first, second, third);
    }

    public void MoveToOther(DisposeScope? scope, params IDisposable[] disposables) =>
        MoveToOther(scope, (IEnumerable<IDisposable>)disposables);

    public void MoveToOther(DisposeScope? scope, IEnumerable<IDisposable> disposables)
    {
        foreach (var disposable in disposables)
        {
            Move(scope, disposable);
        }
    }

    /// <summary>Takes tensors out of every scope: whoever asked for it disposes them.</summary>
    public T Detach<T>(T disposable)
        where T : IDisposable => MoveToOther(null, disposable);

    public (T1 first, T2 second) Detach<T1, T2>(T1 first, T2 second)
        where T1 : IDisposable
        where T2 : IDisposable => MoveToOther(null, first, second);

    public (T1 first, T2 second, T3 third) Detach<T1, T2, T3>(T1 first, T2 second, T3 third)
        where T1 : IDisposable
        where T2 : IDisposable
        where T3 : IDisposable => MoveToOther(null, first, second, third);

    public void Detach(params IDisposable[] disposables) => MoveToOther(null, (IEnumerable<IDisposable>)disposables);

    public void Detach(IEnumerable<IDisposable> disposables) => MoveToOther(null, disposables);

    /// <summary>Frees what the scope owns now; it goes on collecting.</summary>
    public void DisposeEverything()
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        while (_first is { } tensor)
        {
            tensor.Dispose();
        }
    }

    /// <summary>Frees what the scope owns now except <paramref name="inKeep"/>, which it keeps.</summary>
    public void DisposeEverythingBut(IEnumerable<IDisposable> inKeep)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        var keep = new HashSet<IDisposable>(inKeep, ReferenceEqualityComparer.Instance);
        for (var tensor = _first; tensor is not null;)
        {
            var next = tensor.NextInScope;
            if (!keep.Contains(tensor))
            {
                tensor.Dispose();
            }
            tensor = next;
        }
    }

    public void DisposeEverythingBut(params IDisposable[] keep) => DisposeEverythingBut((IEnumerable<IDisposable>)keep);

    public T DisposeEverythingBut<T>(T keep)
        where T : IDisposable
    {
        DisposeEverythingBut((IEnumerable<IDisposable>)[keep]);
        return keep;
    }

    public (T1 first, T2 second) DisposeEverythingBut<T1, T2>(T1 first, T2 second)
        where T1 : IDisposable
        where T2 : IDisposable
    {
        DisposeEverythingBut((IEnumerable<IDisposable>)[first, second]);
        return (first, second);
    }

    /// <summary>Frees what the scope owns and ends it; scopes inside it that were left open go on.</summary>
    public void Dispose()
    {
        if (_ended)
        {
            return;
        }
        DisposeEverything();
        _ended = true;
        if (ReferenceEquals(_current, this))
        {
            _current = _outer;
        }
        else
        {
            for (var inner = _current; inner is not null; inner = inner._outer)
            {
                if (ReferenceEquals(inner._outer, this))
                {
                    inner._outer = _outer;
                    break;
                }
            }
        }
    }

    internal void Add(Tensor tensor)
    {
        tensor.OwningScope = this;
        tensor.PreviousInScope = _last;
        tensor.NextInScope = null;
        if (_last is null)
        {
            _first = tensor;
        }
        else
        {
            _last.NextInScope = tensor;
        }
        _last = tensor;
        _count++;
    }

    internal void Remove(Tensor tensor)
    {
        if (tensor.PreviousInScope is { } previous)
        {
            previous.NextInScope = tensor.NextInScope;
        }
        else
        {
            _first = tensor.NextInScope;
        }
        if (tensor.NextInScope is { } next)
        {
            next.PreviousInScope = tensor.PreviousInScope;
        }
        else
        {
            _last = tensor.PreviousInScope;
        }
        tensor.OwningScope = null;
        tensor.PreviousInScope = null;
        tensor.NextInScope = null;
        _count--;
    }

    private void Move(DisposeScope? scope, IDisposable disposable)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        if (disposable is Tensor tensor && ReferenceEquals(tensor.OwningScope, this))
        {
            Remove(tensor);
            scope?.Add(tensor);
        }
    }
}
