%% The same work on the BEAM, as its users would write it: `otp_bench:main([Work, Count, ...])` prints one value.
-module(otp_bench).
-export([main/1]).
%% Callbacks and children.
-export([init/1, handle_call/3, handle_cast/2, restarted/3, actor/0]).

main([Work | Arguments]) ->
    logger:set_primary_config(level, none),
    {Pid, Monitor} = spawn_monitor(fun() -> exit({value, work(Work, [list_to_integer(A) || A <- Arguments])}) end),
    receive
        {'DOWN', Monitor, process, Pid, {value, Value}} -> io:format("~s~n", [Value]), halt(0);
        {'DOWN', Monitor, process, Pid, Reason} -> io:format(standard_error, "~p~n", [Reason]), halt(1)
    end.

work("spawn", [Count]) ->
    rate(Count, fun() -> spawn_and_wait(Count) end);
work("idle", [Count]) ->
    bytes_each(Count, fun() -> spawn(fun() -> receive stop -> ok end end) end);
work("idle_linked", [Count]) ->
    bytes_each(Count, fun() -> spawn_link(fun() -> receive stop -> ok end end) end);

work("call", [Count]) ->
    Server = spawn_link(fun server/0),
    rate(Count, fun() -> calls(Count, Server, infinity) end);
work("call_with_timeout", [Count]) ->
    Server = spawn_link(fun server/0),
    rate(Count, fun() -> calls(Count, Server, 5000) end);

work("send", [Count, Producers]) ->
    rate(Count, fun() -> sends(Count, Producers) end);

work("ring", [Count, Size, Tokens]) ->
    Self = self(),
    First = spawn_link(fun() -> receive {next, Next} -> member(Next, Self) end end),
    Last = lists:foldl(fun(_, Next) -> spawn_link(fun() -> member(Next, Self) end) end, First, lists:seq(2, Size)),
    First ! {next, Last},
    Members = ring_members(First, Size),
    rate(Count, fun() ->
        lists:foreach(fun(Member) -> Member ! Count div Tokens end, lists:sublist(Members, Tokens)),
        receive_all(Tokens, ended)
    end);

work("fan_out", [Count, Fan]) ->
    Others = [spawn_link(fun echo/0) || _ <- lists:seq(1, Fan)],
    rate(Count, fun() -> fan_out(Count div (2 * Fan), Others, Fan) end);

work("lookup", [Count, Names, Lookers]) ->
    All = register_all(Names, 1),
    rate(Count, fun() ->
        run_all(Lookers, fun() ->
            times(Count div Names div Lookers, fun() -> [true = is_pid(whereis(Name)) || Name <- All] end)
        end)
    end);
work("named_send", [Count, Names, Producers]) ->
    All = register_all(Names, Count div Names),
    rate(Count, fun() ->
        [spawn_link(fun() ->
            times(Count div Names div Producers, fun() -> [Name ! 1 || Name <- All] end)
        end) || _ <- lists:seq(1, Producers)],
        receive_all(Names, ended)
    end);

work("monitor", [Count]) ->
    All = [spawn_monitor(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, Count)],
    %% They end by themselves, as those of the others do.
    spawn_link(fun() -> [Pid ! stop || {Pid, _} <- All] end),
    rate(Count, fun() -> receive_downs(Count) end);

%% The tolerance is as high as the row needs. A supervisor of Erlang walks all restarts of the period at each.
work("restart_by_error", [Count]) ->
    process_flag(trap_exit, true),
    Starts = counters:new(1, []),
    Child = {self(), Starts, Count},
    rate(Count, fun() ->
        {ok, _} = supervisor:start_link(?MODULE, {restart, Child}),
        receive_all(1, ended)
    end);

work("supervisor_start", [Count]) ->
    rate(Count, fun() -> {ok, _} = supervisor:start_link(?MODULE, {children, Count}) end);
work("supervisor_stop", [Count]) ->
    process_flag(trap_exit, true),
    {ok, Supervisor} = supervisor:start_link(?MODULE, {children, Count}),
    rate(Count, fun() ->
        exit(Supervisor, shutdown),
        receive {'EXIT', Supervisor, _} -> ok end
    end);

%% Elixir's Task: a linked process, watched by a monitor whose alias is the address of its reply.
work("tasks", [Count]) ->
    rate(Count, fun() ->
        Tasks = [task(fun() -> Number + 1 end) || Number <- lists:seq(1, Count)],
        Values = [await(Task) || Task <- Tasks],
        Count = length(Values)
    end);

work("actor_start", [Count]) ->
    rate(Count, fun() -> times(Count, fun actor/0) end);
work("actor_idle", [Count]) ->
    bytes_each(Count, fun() -> {ok, Actor} = actor(), Actor end);
work("actor_call", [Count]) ->
    {ok, Actor} = actor(),
    rate(Count, fun() -> actor_calls(Count, Actor) end);
work("actor_send", [Count, Producers]) ->
    rate(Count, fun() ->
        {ok, Actor} = gen_server:start_link(?MODULE, {actor, self(), Count}, []),
        [spawn_link(fun() -> times(Count div Producers, fun() -> gen_server:cast(Actor, 1) end) end)
         || _ <- lists:seq(1, Producers)],
        receive_all(1, ended)
    end);

%% How long a call takes, in nanoseconds: p50, p99, p99.9.
work("latency", [Busy, Milliseconds]) ->
    [spawn_link(fun() -> self() ! again, busy() end) || _ <- lists:seq(1, Busy)],
    Server = spawn_link(fun server/0),
    Deadline = erlang:monotonic_time(millisecond) + Milliseconds,
    Sorted = list_to_tuple(lists:sort(latencies(Server, Deadline, []))),
    At = fun(Part) -> element(max(1, ceil(size(Sorted) * Part)), Sorted) end,
    io_lib:format("~b ~b ~b", [At(0.5), At(0.99), At(0.999)]).

rate(Count, Work) ->
    Start = erlang:monotonic_time(nanosecond),
    Work(),
    Nanoseconds = erlang:monotonic_time(nanosecond) - Start,
    float_to_list(Count * 1.0e9 / Nanoseconds).

bytes_each(Count, Start) ->
    Before = resident_bytes(),
    All = [Start() || _ <- lists:seq(1, Count)],
    Bytes = resident_bytes() - Before,
    Count = length(All),
    float_to_list(Bytes / Count).

resident_bytes() ->
    {ok, Statm} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:split(Statm, " ", all),
    binary_to_integer(Pages) * 4096.

spawn_and_wait(Count) ->
    Alive = counters:new(1, []),
    Self = self(),
    times(Count, fun() ->
        spawn(fun() ->
            counters:add(Alive, 1, 1),
            case counters:get(Alive, 1) of Count -> Self ! ended; _ -> ok end
        end)
    end),
    receive_all(1, ended).

server() ->
    receive {From, Reference, Number} -> From ! {Reference, Number + 1} end,
    server().

calls(0, _, _) -> ok;
calls(Number, Server, Timeout) ->
    Reference = monitor(process, Server, [{alias, demonitor}]),
    Server ! {Reference, Reference, Number},
    receive
        {Reference, _} -> demonitor(Reference, [flush]);
        {'DOWN', Reference, _, _, Reason} -> exit(Reason)
    after Timeout -> exit(timeout)
    end,
    calls(Number - 1, Server, Timeout).

sends(Count, Producers) ->
    Self = self(),
    Receiver = spawn_link(fun() -> receive_any(Count), Self ! ended end),
    [spawn_link(fun() -> send_many(Count div Producers, Receiver) end) || _ <- lists:seq(1, Producers)],
    receive_all(1, ended).

send_many(0, _) -> ok;
send_many(Count, Receiver) ->
    Receiver ! Count,
    send_many(Count - 1, Receiver).

receive_any(0) -> ok;
receive_any(Count) -> receive _ -> receive_any(Count - 1) end.

receive_all(0, _) -> ok;
receive_all(Count, Message) -> receive Message -> receive_all(Count - 1, Message) end.

receive_downs(0) -> ok;
receive_downs(Count) -> receive {'DOWN', _, process, _, _} -> receive_downs(Count - 1) end.

member(Next, Owner) ->
    receive
        0 -> Owner ! ended;
        {next_of, From} -> From ! {next_is, Next};
        Hops -> Next ! Hops - 1
    end,
    member(Next, Owner).

ring_members(_, 0) -> [];
ring_members(Member, Left) ->
    Member ! {next_of, self()},
    receive {next_is, Next} -> [Member | ring_members(Next, Left - 1)] end.

echo() ->
    receive {From, Number} -> From ! Number end,
    echo().

fan_out(0, _, _) -> ok;
fan_out(Round, Others, Fan) ->
    Self = self(),
    [Other ! {Self, Round} || Other <- Others],
    receive_all(Fan, Round),
    fan_out(Round - 1, Others, Fan).

register_all(Names, Messages) ->
    Self = self(),
    [begin
        Name = list_to_atom("worker " ++ integer_to_list(Number)),
        register(Name, spawn_link(fun() -> receive_any(Messages), Self ! ended end)),
        Name
     end || Number <- lists:seq(1, Names)].

run_all(Count, Work) ->
    Self = self(),
    [spawn_link(fun() -> Work(), Self ! ran end) || _ <- lists:seq(1, Count)],
    receive_all(Count, ran).

times(0, _) -> ok;
times(Count, Work) ->
    Work(),
    times(Count - 1, Work).

restarted(Owner, Starts, Count) ->
    {ok, spawn_link(fun() ->
        case counters:get(Starts, 1) of
            Count -> Owner ! ended, receive stop -> ok end;
            _ -> counters:add(Starts, 1, 1), exit(planned)
        end
    end)}.

task(Work) ->
    Owner = self(),
    Pid = proc_lib:spawn_link(fun() -> receive {Owner, Reply} -> Reply ! {Reply, Work()} end end),
    Reply = monitor(process, Pid, [{alias, demonitor}]),
    Pid ! {Owner, Reply},
    Reply.

await(Reply) ->
    receive
        {Reply, Value} -> demonitor(Reply, [flush]), Value;
        {'DOWN', Reply, _, _, Reason} -> exit(Reason)
    after 5000 -> exit(timeout)
    end.

busy() ->
    receive again -> self() ! again end,
    busy().

latencies(Server, Deadline, Taken) ->
    Start = erlang:monotonic_time(nanosecond),
    calls(1, Server, infinity),
    Latency = erlang:monotonic_time(nanosecond) - Start,
    case erlang:monotonic_time(millisecond) < Deadline of
        true -> latencies(Server, Deadline, [Latency | Taken]);
        false -> [Latency | Taken]
    end.

actor() -> gen_server:start_link(?MODULE, {actor, none, infinity}, []).

actor_calls(0, _) -> ok;
actor_calls(Number, Actor) ->
    _ = gen_server:call(Actor, Number, infinity),
    actor_calls(Number - 1, Actor).

init({actor, Owner, Count}) -> {ok, {Owner, Count}};
init({restart, {Owner, Starts, Count}}) ->
    Child = #{id => child, start => {?MODULE, restarted, [Owner, Starts, Count]}},
    {ok, {#{intensity => Count + 1, period => 1}, [Child]}};
init({children, Count}) ->
    Children = [#{id => Id, start => {?MODULE, actor, []}} || Id <- lists:seq(1, Count)],
    {ok, {#{}, Children}}.

handle_call(Number, _, State) -> {reply, Number + 1, State}.

handle_cast(_, {Owner, 1}) -> Owner ! ended, {noreply, {Owner, 0}};
handle_cast(_, {Owner, Count}) -> {noreply, {Owner, Count - 1}}.
